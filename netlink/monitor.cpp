// SPDX-License-Identifier: Apache-2.0
#include "netlink/monitor.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/failure.h"

namespace onlink::netlink {

Monitor Monitor::open(int protocol, std::span<const int> groups, int receive_buffer) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) throw system_failure("open netlink monitor");
  // Beyond net.core.rmem_max with CAP_NET_ADMIN in the initial user namespace; elsewhere as far as allowed.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    throw system_failure("bind netlink monitor");
  for (const int group : groups)
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      throw system_failure("join netlink multicast group " + std::to_string(group));
  return Monitor(std::move(fd));
}

bool Monitor::drain(const std::function<void(const nlmsghdr&)>& each) {
  bool complete = true;
  for (;;) {
    sockaddr_nl sender{};
    iovec area{buffer_.get(), buffer_size};
    msghdr datagram{};
    datagram.msg_name = &sender;
    datagram.msg_namelen = sizeof sender;
    datagram.msg_iov = &area;
    datagram.msg_iovlen = 1;
    const ssize_t received = ::recvmsg(fd_.get(), &datagram, 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return complete;
      if (errno != ENOBUFS) throw system_failure("receive kernel notifications");
      complete = false;  // told once; what is still queued follows
      continue;
    }
    if ((datagram.msg_flags & MSG_TRUNC) != 0) complete = false;
    if (sender.nl_pid != 0) continue;  // not from the kernel: any process may send to us
    auto left = static_cast<int>(received);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.get()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left))
      each(*message);
  }
}

}  // namespace onlink::netlink
