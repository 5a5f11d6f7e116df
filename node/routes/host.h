// SPDX-License-Identifier: Apache-2.0
// What is: everything about this host that decides what should be, or that may differ from it. Plain data,
// read from the kernel in one go (read_host) and never changed afterwards; tests write it by hand.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "node/cluster/cluster.h"

namespace onlink::node {

inline constexpr const char* tunnel_name = "tunl0";
// Stands for the index of a tunnel device that is not there yet.
inline constexpr std::uint32_t tunnel_to_come = UINT32_MAX;

// Ours to change and to withdraw: our protocol, and either through a gateway or a blackhole. The routes of
// the attachments, which have our protocol too, are neither: "10.10.0.2/32 dev onl... scope link".
bool is_node_route(const netlink::Route& route);

struct Host {
  // How the kernel would reach each node address, our own and that of our tunnel included; nothing where it
  // would not.
  std::map<IpAddress, std::optional<netlink::Route>> paths;
  std::map<std::uint32_t, netlink::Link> links;  // those that the paths and routes go through, by index
  std::optional<netlink::Link> tunnel;           // the device named tunl0, whatever its kind
  std::vector<netlink::Address> tunnel_addresses;
  bool ipip_missing = false;           // the kernel refused to make a tunnel: it has no ipip
  std::vector<netlink::Route> routes;  // node routes of table main, by (destination, metric)
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  // Where it is off and the node has IPv6 pods: see netlink/forwarding.h.
  std::vector<std::string> need_accept_ra;

  std::string link_name(std::uint32_t index) const;  // "if12" where it is not known
};

// In the caller's network namespace, which must be the socket's. Throws Failure.
Host read_host(netlink::Socket& socket, const Cluster& cluster);

// Only the tunnel of a host that was read before it was made.
void read_tunnel(netlink::Socket& socket, Host& host);

// Who holds the destinations (and metrics) of these routes, as far as somebody does: asked only for what is
// about to be added or replaced. Ordered as asked.
std::vector<std::optional<netlink::Route>> find_holders(netlink::Socket& socket,
                                                        const std::vector<netlink::Route>& wanted);

}  // namespace onlink::node
