// SPDX-License-Identifier: Apache-2.0
#include "base/file_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/uninterrupted.h"

namespace onlink {
namespace {

constexpr int most_links = 40;  // as many as the kernel follows

std::string used_up(const std::string& limit) {
  const auto text = read_file(AT_FDCWD, "/proc/sys/fs/inotify/" + limit);
  const long value = text ? std::strtol(text->c_str(), nullptr, 10) : 0;
  constexpr long enough = 1024;
  return fmt::format("fs.inotify.{0} is used up; to raise it: sysctl -w fs.inotify.{0}={1}", limit,
                     std::max(2 * value, enough));
}

}  // namespace

FileWatch::FileWatch(std::string path) : path_(std::move(path)) {
  const std::string folder = folder_of(path_);
  if (::access(folder.c_str(), X_OK) != 0) throw system_failure("watch the folder " + folder);
  renew();
}

void FileWatch::open() {
  inotify_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_) return;
  if (errno != EMFILE) throw system_failure("watch files");
  problem_ = used_up("max_user_instances");
}

int FileWatch::watch(const std::string& path) {
  constexpr std::uint32_t events =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;
  const int number = ::inotify_add_watch(inotify_.get(), path.c_str(), events);
  if (number < 0 && errno == ENOSPC) problem_ = used_up("max_user_watches");
  return number;
}

void FileWatch::renew() {
  problem_.clear();
  if (!inotify_) open();
  if (!inotify_) return;
  auto before = std::exchange(watched_, {});
  std::error_code ignored;
  follow(std::filesystem::absolute(path_, ignored).string(), most_links);
  for (const auto& [number, names] : before)
    if (!watched_.contains(number)) (void)::inotify_rm_watch(inotify_.get(), number);
}

// Each folder is watched before it is read, so that a later change is reported. Where the path ends early, its last
// folder is watched, so that its continuation is noticed. A folder that we may not read is skipped.
void FileWatch::follow(const std::string& path, int links) {
  std::filesystem::path here = "/";
  const std::filesystem::path way(path);
  for (auto part = way.begin(); part != way.end(); ++part) {
    if (part->empty() || *part == "/" || *part == ".") continue;
    if (*part == "..") {  // no link is left in here
      here = here.parent_path();
      continue;
    }
    if (const int number = watch(here.string()); number >= 0) watched_[number].insert(part->string());
    std::error_code none;
    const auto target = std::filesystem::read_symlink(here / *part, none);
    if (!none) {
      std::filesystem::path rest = here / target;
      for (++part; part != way.end(); ++part) rest /= *part;
      if (links > 0) follow(rest.string(), links - 1);
      return;
    }
    here /= *part;
  }
  // The file itself too: one that is mounted into a container is written under its name outside.
  if (const int number = watch(here.string()); number >= 0) watched_[number];
}

bool FileWatch::changed() {
  alignas(inotify_event) char events[4096];
  bool changed = std::exchange(first_, false);
  while (inotify_) {
    const ssize_t count = uninterrupted([&] { return ::read(inotify_.get(), events, sizeof events); });
    if (count <= 0) break;
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      const auto watched = watched_.find(event->wd);
      // A folder or the file itself; or events were lost.
      const bool whole = event->len == 0 && (watched != watched_.end() || (event->mask & IN_Q_OVERFLOW) != 0);
      const bool named = event->len > 0 && watched != watched_.end() && watched->second.contains(event->name);
      changed = changed || whole || named;
    }
  }
  if (changed) renew();
  return changed;
}

}  // namespace onlink
