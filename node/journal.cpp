// SPDX-License-Identifier: Apache-2.0
#include "node/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <ctime>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "base/unique_fd.h"

namespace onlink::node {
namespace {

constexpr off_t full = 1 << 20;

std::string older(const std::string& path) { return path + ".1"; }

}  // namespace

std::vector<std::string> journal_files(const Directories& directories) {
  const std::string path = directories.run + "/events.jsonl";
  return {older(path), path};
}

void forget_journal(const Directories& directories) {
  for (const std::string& path : journal_files(directories)) remove_file(path);
}

Journal::Journal(const Directories& directories) : path_(journal_files(directories).back()) {
  try {
    make_directories(directories.run);
  } catch (const Failure&) {
    return;  // the service says so when it saves its state
  }
}

void Journal::write(const char* event, nlohmann::json fields) const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0 && status.st_size >= full)
    (void)std::rename(path_.c_str(), older(path_).c_str());
  fields["time"] = in_utc(std::time(nullptr));
  fields["event"] = event;
  const UniqueFd file = try_open(AT_FDCWD, path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0644);
  if (file) (void)try_write(file.get(), dump_json(fields) + "\n");
}

}  // namespace onlink::node
