// SPDX-License-Identifier: Apache-2.0
#include "base/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/uninterrupted.h"

namespace onlink {

FileWatch::FileWatch(const std::string& path) : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_) throw system_failure("watch files");
  // The folder, not the file: an editor or a package manager puts another file in its place.
  const std::string folder = folder_of(path);
  constexpr std::uint32_t events =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;
  if (::inotify_add_watch(inotify_.get(), folder.c_str(), events) < 0)
    throw system_failure("watch the folder " + folder);
}

bool FileWatch::changed() {
  char events[4096];
  bool changed = std::exchange(first_, false);
  for (;;) {
    const ssize_t count = uninterrupted([&] { return ::read(inotify_.get(), events, sizeof events); });
    if (count <= 0) return changed;
    changed = true;
  }
}

}  // namespace onlink
