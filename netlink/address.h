// SPDX-License-Identifier: Apache-2.0
// Addresses on interfaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct Address {
  std::uint32_t link = 0;  // ifindex
  IpPrefix prefix = {};
  std::uint32_t flags = 0;  // IFA_F_*
  std::uint8_t scope = 0;   // RT_SCOPE_*

  bool operator==(const Address&) const = default;
};

// An address that exists already is success (NLM_F_REPLACE). IPv6 addresses are added with IFA_F_NODAD: they
// do not wait for duplicate address detection. link_name: for messages only.
Message add_address(const Address& address, const std::string& link_name);
Message delete_address(const Address& address, const std::string& link_name);
std::optional<Address> parse_address(const nlmsghdr& message);
// The addresses of one interface, or of all where link is 0 (a dump).
std::vector<Address> list_addresses(Socket& socket, std::uint32_t link = 0);
// The addresses of an interface in another namespace, by the ID that the socket's namespace has for it
// (Link::peer_netns), without entering it. Empty where that namespace has died, or where somebody in it changes addresses
// all the time (EINTR): a pod must not stop those who ask.
std::vector<Address> list_addresses_in(Socket& socket, std::int32_t netns, std::uint32_t link);

}  // namespace onlink::netlink
