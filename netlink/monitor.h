// SPDX-License-Identifier: Apache-2.0
// Notifications of the kernel about changes in one network namespace (rtnetlink(7), multicast groups).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "base/unique_fd.h"
#include "netlink/message.h"

namespace onlink::netlink {

class Monitor {
 public:
  // In the caller's network namespace. protocol: NETLINK_ROUTE or NETLINK_NETFILTER; groups: its multicast
  // groups by number (RTNLGRP_LINK, not the old RTMGRP_ bits). receive_buffer: bytes that may wait unread;
  // the kernel drops what does not fit. Throws Failure.
  static Monitor open(int protocol, std::span<const int> groups, int receive_buffer = 4 << 20);

  int descriptor() const { return fd_.get(); }  // readable when something has arrived

  // Hands over everything that has arrived and does not wait for more. False: notifications were dropped
  // (ENOBUFS), so a caller that follows the state must read all of it again. Throws Failure where the socket
  // fails: it is then unusable.
  bool drain(const std::function<void(const nlmsghdr&)>& each);

 private:
  explicit Monitor(UniqueFd fd) : fd_(std::move(fd)), buffer_(new char[buffer_size]) {}

  static constexpr std::size_t buffer_size = 64 * 1024;

  UniqueFd fd_;
  std::unique_ptr<char[]> buffer_;  // uninitialized: most of it is never touched
};

}  // namespace onlink::netlink
