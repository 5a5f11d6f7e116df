// SPDX-License-Identifier: Apache-2.0
#include "netlink/datagram.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/uninterrupted.h"

namespace onlink::netlink {

std::optional<Datagram> receive_datagram(int fd, std::span<char> buffer) {
  sockaddr_nl sender{};
  iovec area{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &area;
  header.msg_iovlen = 1;
  const ssize_t received = uninterrupted([&] { return ::recvmsg(fd, &header, 0); });
  if (received < 0) return std::nullopt;
  return Datagram{buffer.first(static_cast<std::size_t>(received)), (header.msg_flags & MSG_TRUNC) != 0,
                  sender.nl_pid == 0};
}

void for_each_message(std::span<const char> messages, const std::function<void(const nlmsghdr&)>& each) {
  // Not mnl_nlmsg_ok(): it takes a length of 2 GiB and more for a negative one, which always fits.
  while (messages.size() >= sizeof(nlmsghdr)) {
    const auto& message = *reinterpret_cast<const nlmsghdr*>(messages.data());
    if (message.nlmsg_len < sizeof(nlmsghdr) || message.nlmsg_len > messages.size()) return;
    each(message);
    messages = messages.subspan(std::min<std::size_t>(NLMSG_ALIGN(message.nlmsg_len), messages.size()));
  }
}

}  // namespace onlink::netlink
