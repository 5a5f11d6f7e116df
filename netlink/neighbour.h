// SPDX-License-Identifier: Apache-2.0
// Neighbours: link-layer addresses of IP addresses (arp(7)).
#pragma once

#include <linux/neighbour.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct Neighbour {
  std::uint32_t link = 0;  // ifindex
  IpAddress address = {};
  MacAddress mac = {};  // unused where the state is NUD_NONE: the kernel resolves it when needed
  std::uint16_t state = NUD_PERMANENT;
  std::uint8_t flags = 0;  // NTF_*
  // Asked in vain for 100 ms or more. Under traffic to it the kernel begins anew each time that it has given up
  // (NUD_FAILED), so it is nearly always NUD_INCOMPLETE.
  bool is_silent = false;

  auto operator<=>(const Neighbour&) const = default;
};

// An entry that the kernel has learned meanwhile becomes ours (NLM_F_REPLACE).
Message add_neighbour(const Neighbour& neighbour, const std::string& link_name);
Message delete_neighbour(const Neighbour& neighbour, const std::string& link_name);
std::optional<Neighbour> parse_neighbour(const nlmsghdr& message);  // also of RTM_DELNEIGH
// Nothing where the kernel has no entry for the address on that interface. Never a dump.
std::optional<Neighbour> find_neighbour(Socket& socket, std::uint32_t link, const IpAddress& address);
// The entries of one interface, or of all where link is 0: a dump, filtered by the kernel.
std::vector<Neighbour> list_neighbours(Socket& socket, std::uint32_t link = 0);

}  // namespace onlink::netlink
