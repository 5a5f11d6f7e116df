// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/install.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <optional>

#include "base/failure.h"
#include "base/file.h"
#include "base/lock.h"

namespace onlink::node {
namespace {

constexpr const char* plugins[] = {"onlink-ipam", "onlink"};
constexpr std::size_t plugin_limit = std::size_t{64} << 20;

struct Program {
  std::string content;
  mode_t mode = 0;
};

std::optional<Program> read_program(int directory, const std::string& name) {
  const auto fd = open_if_exists(directory, name, O_RDONLY);
  if (!fd) return std::nullopt;
  struct stat status = {};
  if (::fstat(fd->get(), &status) != 0) throw system_failure("stat " + name);
  return Program{read_all(fd->get(), name, plugin_limit), status.st_mode & 07777};
}

// Locks the folder itself: replace_file names its temporary file by process ID, which is 1 in each container.
UniqueFd lock_folder(const std::string& folder) {
  UniqueFd fd = open_file(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  lock_exclusively(fd.get(), folder, std::chrono::minutes(1));
  return fd;
}

std::string install_one(int from, int to, const std::string& name) {
  const auto wanted = read_program(from, name);
  if (!wanted) throw Failure(name + " is not there", ENOENT);
  const auto present = read_program(to, name);
  if (present && present->content == wanted->content && (present->mode & 0555) == 0555)
    return name + ": already up to date";
  replace_file(to, name, wanted->content, 0755);
  return fmt::format("{}: {} ({} bytes)", name, present ? "replaced" : "installed", wanted->content.size());
}

}  // namespace

std::vector<std::string> install_plugins(const std::string& from, const std::string& to) {
  const UniqueFd source = with_context("install the plugins of " + from,
                                       [&] { return open_file(AT_FDCWD, from, O_RDONLY | O_DIRECTORY); });
  return with_context("install the plugins in " + to, [&] {
    ::umask(022);  // the runtime may run as another user
    make_directories(to);
    const UniqueFd target = lock_folder(to);
    std::vector<std::string> lines;
    for (const char* name : plugins)
      lines.push_back(to + "/" + install_one(source.get(), target.get(), name));
    sync(target.get(), to);
    return lines;
  });
}

std::string own_folder() {
  char path[PATH_MAX] = {};
  if (::readlink("/proc/self/exe", path, sizeof path - 1) < 0) throw system_failure("read /proc/self/exe");
  return folder_of(path);
}

}  // namespace onlink::node
