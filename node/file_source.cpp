// SPDX-License-Identifier: Apache-2.0
#include "node/file_source.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::node {
namespace {

constexpr std::size_t largest_file = 64u << 20;

std::string folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Nodes read_cluster_file(const std::string& path, const std::string& node_name, bool allow_empty) {
  const UniqueFd file = open_file(AT_FDCWD, path, O_RDONLY);
  Nodes nodes;
  nodes.cluster = parse_cluster(read_all(file.get(), path, largest_file), path, node_name);
  nodes.complete = !nodes.cluster.peers.empty() || allow_empty;
  return nodes;
}

FileSource::FileSource(std::string path, std::string node_name, bool allow_empty)
    : path_(std::move(path)),
      node_name_(std::move(node_name)),
      allow_empty_(allow_empty),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_) throw system_failure("watch files");
  // The folder, not the file: an editor or a package manager puts another file in its place.
  const std::string folder = folder_of(path_);
  constexpr std::uint32_t events =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;
  if (::inotify_add_watch(inotify_.get(), folder.c_str(), events) < 0)
    throw system_failure("watch the folder " + folder);
}

std::optional<Nodes> FileSource::read() {
  char events[4096];
  for (;;) {
    const ssize_t count = ::read(inotify_.get(), events, sizeof events);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    fresh_ = false;
  }
  if (fresh_) return std::nullopt;
  fresh_ = true;
  return read_cluster_file(path_, node_name_, allow_empty_);
}

}  // namespace onlink::node
