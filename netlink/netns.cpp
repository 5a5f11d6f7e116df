// SPDX-License-Identifier: Apache-2.0
#include "netlink/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::netlink {
namespace {

bool is_netns(int fd) {
  struct statfs filesystem {};
  return ::fstatfs(fd, &filesystem) == 0 && filesystem.f_type == NSFS_MAGIC &&
         ::ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

}  // namespace

Netns::Netns(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {
  struct stat identity {};
  if (::fstat(fd_.get(), &identity) != 0) throw system_failure("stat " + path_);
  device_ = identity.st_dev;
  inode_ = identity.st_ino;
}

Netns Netns::open(const std::string& path) {
  try {
    UniqueFd fd = open_file(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!is_netns(fd.get()))
      throw Failure(FailureKind::environment, path + " is not a network namespace", EINVAL);
    return Netns(std::move(fd), path);
  } catch (const Failure& failure) {
    if (!failure.missing() && failure.error() != ENOTDIR) throw;
    throw Failure(FailureKind::container_unknown, std::string("network namespace: ") + failure.what(),
                  failure.error());
  }
}

Netns Netns::of_socket(int socket) {
  UniqueFd fd(::ioctl(socket, SIOCGSKNS));
  if (!fd) throw system_failure("find out the network namespace of a socket");
  return Netns(std::move(fd), "the network namespace of a socket");
}

std::string Netns::identity() const { return std::to_string(device_) + ":" + std::to_string(inode_); }

NetnsScope::NetnsScope(const Netns& inside, const Netns& home) : home_(home.fd()) {
  if (::setns(inside.fd(), CLONE_NEWNET) != 0)
    throw system_failure("enter network namespace " + inside.path());
}

NetnsScope::~NetnsScope() {
  if (::setns(home_, CLONE_NEWNET) != 0) std::terminate();
}

}  // namespace onlink::netlink
