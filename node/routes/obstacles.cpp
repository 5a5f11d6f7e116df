// SPDX-License-Identifier: Apache-2.0
#include "node/routes/obstacles.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "netlink/link.h"
#include "netlink/route.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

std::string describe(netlink::Socket& socket, const netlink::Route& route) {
  const auto link = netlink::find_link(socket, route.link);
  return netlink::to_string(route, link ? link->name : "");
}

using Obstacles = std::map<IpPrefix, std::string>;

void ask_the_kernel(netlink::Socket& socket, const std::vector<IpPrefix>& cidrs, Obstacles& obstacles) {
  std::vector<IpAddress> addresses;
  addresses.reserve(cidrs.size());
  for (const IpPrefix& cidr : cidrs) addresses.push_back(cidr.is_host() ? cidr.address : cidr.address.next());
  const auto routes = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < cidrs.size(); ++i)
    if (!routes[i])
      obstacles[cidrs[i]] = fmt::format("a route or rule refuses packets to {}", addresses[i].to_string());
    else if (routes[i]->dst != cidrs[i] || !is_node_route(*routes[i]))
      obstacles[cidrs[i]] =
          fmt::format("packets to {} take {}", addresses[i].to_string(), describe(socket, *routes[i]));
}

void look_for_more_specific(netlink::Socket& socket, const std::vector<IpPrefix>& cidrs,
                            Obstacles& obstacles) {
  const std::set<IpPrefix> starts(cidrs.begin(), cidrs.end());  // they do not overlap
  for (const netlink::Route& route : netlink::list_routes(socket, {.table = RT_TABLE_MAIN})) {
    const auto after = starts.upper_bound(route.dst);
    if (after == starts.begin() || is_node_route(route)) continue;
    const IpPrefix& cidr = *std::prev(after);
    if (cidr.contains(route.dst.address) && route.dst.length > cidr.length)
      obstacles.try_emplace(
          cidr, fmt::format("packets to {} take {}", route.dst.to_string(), describe(socket, route)));
  }
}

}  // namespace

Obstacles find_obstacles(netlink::Socket& socket, const Desired& desired,
                         const std::set<IpPrefix>& without_route) {
  std::vector<IpPrefix> cidrs;
  for (const PeerPath& path : desired.paths)
    if (path.kind != PathKind::none && path.obstacle.empty() && !without_route.contains(path.cidr.network()))
      cidrs.push_back(path.cidr.network());
  Obstacles obstacles;
  if (cidrs.empty()) return obstacles;
  ask_the_kernel(socket, cidrs, obstacles);
  look_for_more_specific(socket, cidrs, obstacles);
  return obstacles;
}

}  // namespace onlink::node
