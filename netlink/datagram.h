// SPDX-License-Identifier: Apache-2.0
// One received datagram of a netlink socket (netlink(7)).
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <optional>
#include <span>

namespace onlink::netlink {

struct Datagram {
  std::span<const char> messages;  // lie in the buffer of the call
  bool is_cut_off = false;         // it was larger than the buffer
  bool is_from_kernel = false;     // any process may send to a socket
};

// Blocks where the socket does. Nothing where recvmsg(2) failed, with its errno; EINTR is retried.
std::optional<Datagram> receive_datagram(int fd, std::span<char> buffer);

// Its messages in order, up to the first that claims to be longer than what is left, or shorter than its own
// header.
void for_each_message(std::span<const char> messages, const std::function<void(const nlmsghdr&)>& each);

}  // namespace onlink::netlink
