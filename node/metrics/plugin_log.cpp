// SPDX-License-Identifier: Apache-2.0
#include "node/metrics/plugin_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace onlink::node {
namespace {

constexpr std::size_t part = 64 << 10;
constexpr std::size_t parts_at_once = 64;
constexpr std::size_t longest_line = 64 << 10;

}  // namespace

PluginLog::PluginLog(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (open() && ::fstat(file_.get(), &status) == 0) at_ = status.st_size;
}

// Reading anything but a regular file could wait.
bool PluginLog::open() {
  struct stat status {};
  UniqueFd file = try_open(AT_FDCWD, path_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  file_ = std::move(file);
  at_ = 0;
  rest_.clear();
  return true;
}

void PluginLog::read() {
  if (!file_ && !open()) return;
  struct stat held {
  }, named{};
  if (::fstat(file_.get(), &held) != 0) return;
  if (held.st_size < at_) at_ = 0;
  read_to_end();
  const bool is_there = ::stat(path_.c_str(), &named) == 0;
  if (is_there && (named.st_ino != held.st_ino || named.st_dev != held.st_dev) && open()) read_to_end();
}

void PluginLog::read_to_end() {
  std::array<std::byte, part> content;
  for (std::size_t i = 0; i < parts_at_once; ++i) {
    const std::size_t size = read_at(file_.get(), content, at_, path_);
    at_ += static_cast<off_t>(size);
    std::string_view text(reinterpret_cast<const char*>(content.data()), size);
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      take(rest_.append(text.substr(0, end)));
      rest_.clear();
      text.remove_prefix(end + 1);
    }
    if (rest_.size() + text.size() <= longest_line) rest_ += text;
    if (size < content.size()) return;
  }
}

// "2026-11-22T09:33:01.123Z error ADD 3f2a...:eth0 code 11: ..."; STATUS and GC name no attachment.
void PluginLog::take(std::string_view line) {
  const auto words = split(line.substr(0, 1024));
  if (words.size() < 5 || words[1] != "error") return;
  for (const std::size_t at : {std::size_t{3}, std::size_t{4}})
    if (words[at] == "code" && at + 1 < words.size())
      return void(++failures_[{std::string(words[2]), std::string(trimmed(words[at + 1], ":"))}]);
}

}  // namespace onlink::node
