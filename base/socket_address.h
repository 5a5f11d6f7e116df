// SPDX-License-Identifier: Apache-2.0
// An address and a port as the system calls for sockets take them (ip(7), ipv6(7)).
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/ip.h"

namespace onlink {

struct SocketAddress {
  explicit SocketAddress(const IpAddress& address, std::uint16_t port = 0);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t length = 0;
};

}  // namespace onlink
