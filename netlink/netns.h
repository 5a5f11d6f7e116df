// SPDX-License-Identifier: Apache-2.0
// Network namespaces (network_namespaces(7), setns(2)).
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace onlink::netlink {

class Netns {
 public:
  // A handle that keeps the namespace alive. Throws Failure (container_unknown) where the path does not
  // exist, and Failure (environment) where it is not a network namespace; a FIFO or device does not block.
  static Netns open(const std::string& path);
  // The namespace in which a socket was opened (SIOCGSKNS, net/socket.c). Needs CAP_NET_ADMIN.
  static Netns of_socket(int socket);

  // Compared by identity, not by path: two paths may name one namespace.
  bool same_as(const Netns& other) const { return device_ == other.device_ && inode_ == other.inode_; }
  // The identity as text: no other living namespace has it.
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

// The calling thread is in another network namespace while this lives, and then back at home. It must be at
// home before: asking where it is each time would cost more than going there. A thread that cannot return
// would act on the wrong namespace, so the program ends (std::terminate).
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
