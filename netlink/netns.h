// SPDX-License-Identifier: Apache-2.0
// Network namespaces (network_namespaces(7), setns(2)).
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace onlink::netlink {

class Netns {
 public:
  // A handle that keeps the namespace alive. Throws Failure (container_unknown) where the path does not
  // exist, and Failure (environment) where it is something else than a network namespace; a FIFO or device
  // does not block.
  static Netns open(const std::string& path);
  // That of a socket (SIOCGSKNS, net/socket.c): of the namespace where it was opened. Needs CAP_NET_ADMIN.
  static Netns of_socket(int socket);

  // Compared by identity, not by path: two paths may name one namespace.
  bool same_as(const Netns& other) const { return device_ == other.device_ && inode_ == other.inode_; }
  // The same identity in words: no other namespace that lives has it.
  std::string identity() const;
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  Netns(UniqueFd fd, std::string path);

  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The calling thread is in another network namespace while this lives, and then at home, where it has to be
// before: to ask each time where that is costs more than to go there. A thread that cannot return would act
// on the wrong namespace from then on, so the program ends there (std::terminate).
class NetnsScope {
 public:
  NetnsScope(const Netns& inside, const Netns& home);
  NetnsScope(const NetnsScope&) = delete;
  NetnsScope& operator=(const NetnsScope&) = delete;
  ~NetnsScope();

 private:
  int home_;
};

}  // namespace onlink::netlink
