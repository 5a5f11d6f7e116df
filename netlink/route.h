// SPDX-License-Identifier: Apache-2.0
// Routes. The kernel knows a route by (table, destination, source, tos, metric); everything else is its value.
#pragma once

#include <linux/rtnetlink.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

// The routing protocol number of everything that onlink puts into a routing table (rt_protos.d: "169
// onlink").
inline constexpr std::uint8_t onlink_protocol = 169;

// One of several next hops of a route (RTA_MULTIPATH).
struct NextHop {
  std::uint32_t link = 0;
  std::optional<IpAddress> gateway = {};
  std::uint32_t weight = 1;

  bool operator==(const NextHop&) const = default;
};

struct Route {
  IpPrefix dst = {};
  std::optional<IpAddress> gateway = {};
  std::uint32_t link = 0;  // outgoing ifindex; 0 where the type needs none
  std::uint32_t table = RT_TABLE_MAIN;
  std::uint32_t priority = 0;  // the metric; the kernel reads an IPv6 0 as 1024
  std::uint8_t protocol = RTPROT_BOOT;
  std::uint8_t scope = RT_SCOPE_UNIVERSE;
  std::uint8_t type = RTN_UNICAST;
  bool onlink = false;  // RTNH_F_ONLINK: the gateway is on the link though no connected route says so
  std::optional<IpAddress> source = {};  // preferred source address
  std::uint32_t mtu = 0;                 // RTAX_MTU; 0: none
  std::uint32_t advmss = 0;              // RTAX_ADVMSS; 0: none
  std::uint8_t tos = 0;
  std::optional<IpPrefix> from = {};  // for packets from there only; IPv6

  // onlink's own routes have none of these; others' may. Read only.
  std::vector<NextHop> multipath = {};  // the next hops, where there are several
  std::uint32_t nexthop_id = 0;         // of a nexthop object (ip-nexthop(8)); 0: none
  std::uint16_t encapsulation = 0;      // LWTUNNEL_ENCAP_*
  bool more_metrics = false;  // others than the two above, realms, an IPv6 preference, or an end in time

  bool operator==(const Route&) const = default;
};

// iproute2's own notation: "10.10.1.0/24 via 172.16.91.202 dev tunl0 proto 169 onlink".
// link_name: the name of route.link, or its number where it is not known ("if12").
std::string to_string(const Route& route, const std::string& link_name);
// The same as arguments of `ip route add`, `replace` or `del`: without what these do not take, or not together. onlink's
// own routes have none of that; of others, what is left is enough to delete the first of them.
std::string to_arguments(Route route, const std::string& link_name);
// "onlink", "kernel", "bird": the names of /etc/iproute2/rt_protos that matter here, else the number.
std::string protocol_name(std::uint8_t protocol);

// create: EEXIST where the key exists. append: beside such a route, on another link.
enum class RouteMode { create, replace, append };
Message add_route(const Route& route, RouteMode mode, const std::string& link_name);
// Deletes that route among others of its key: scope, type, protocol, next hop, source and metrics must match too, so a
// route of another protocol is never deleted (ESRCH). Where the kernel cannot tell routes apart (IPv4: onlink, several
// next hops, encapsulation; IPv6: all but protocol, gateway and link) it deletes the first of them.
Message delete_route(const Route& route, const std::string& link_name);

std::optional<Route> parse_route(const nlmsghdr& message);

// The route that the kernel would use for a packet to dst, from any table, with its true prefix; nothing where
// there is none.
std::optional<Route> lookup_route(Socket& socket, const IpAddress& dst);
// The same for many, in their order, asked in batches.
std::vector<std::optional<Route>> lookup_routes(Socket& socket, std::span<const IpAddress> destinations);

// The default route of a family, in whatever table; nothing where there is none. Never a dump.
std::optional<Route> default_route(Socket& socket, IpFamily family);

// What policy rules may ask of a packet besides its addresses and link; 0: anything.
struct Transport {
  std::uint8_t protocol = 0;
  std::uint16_t from_port = 0, to_port = 0;

  auto operator<=>(const Transport&) const = default;
};

// A packet that arrives on a link, or one of this host.
struct Flow {
  IpAddress dst, from;
  std::uint32_t link = 0;    // 0: of this host; then `from` is one of its addresses
  Transport transport = {};  // the kernel takes no protocol for UDP
};
// The routes that the kernel would use for these, policy rules included; nothing where it would drop the packet.
std::vector<std::optional<Route>> lookup_forwards(Socket& socket, std::span<const Flow> flows);
std::optional<Route> lookup_forward(Socket& socket, const Flow& flow);

// The source address that the kernel would choose for a packet to dst; nothing where it has no route.
std::optional<IpAddress> lookup_source(Socket& socket, const IpAddress& dst);

// The route with this key, whatever policy rules would choose.
std::optional<Route> find_route(Socket& socket, const Route& key);

struct RouteFilter {
  std::optional<IpFamily> family = {};
  std::uint32_t table = 0;    // 0: every table
  std::uint8_t protocol = 0;  // 0: every protocol
  std::uint32_t link = 0;     // 0: every interface
};
// A dump, filtered by the kernel. An absent table is an empty one.
std::vector<Route> list_routes(Socket& socket, const RouteFilter& filter);

}  // namespace onlink::netlink
