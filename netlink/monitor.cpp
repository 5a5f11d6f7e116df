// SPDX-License-Identifier: Apache-2.0
#include "netlink/monitor.h"

#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/failure.h"
#include "netlink/datagram.h"

namespace onlink::netlink {
namespace {

// Per call: each overflow means that the queue was read to its end and overflowed again meanwhile.
constexpr int most_overflows = 100;

}  // namespace

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
  int overflows = 0;
  for (;;) {
    const auto datagram = receive_datagram(fd_.get(), {buffer_.get(), buffer_size});
    if (!datagram) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return overflows == 0;
      // Reported once, before what is still queued. Read that too: until the queue is empty, the kernel does
      // not report what it drops (NETLINK_S_CONGESTED).
      if (errno == ENOBUFS && ++overflows <= most_overflows) continue;
      throw system_failure("receive kernel notifications");
    }
    if (datagram->is_cut_off) ++overflows;
    if (datagram->is_from_kernel) for_each_message(datagram->messages, each);
  }
}

}  // namespace onlink::netlink
