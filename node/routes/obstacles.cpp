// SPDX-License-Identifier: Apache-2.0
#include "node/routes/obstacles.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/route_key.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

std::string describe(netlink::Socket& socket, const netlink::Route& route) {
  const auto link = netlink::find_link(socket, route.link);
  return netlink::to_string(route, link ? link->name : "");
}

using Obstacles = std::map<IpPrefix, std::string>;

// Whether another's route leads where ours to this subnet does. wanted: ours, sorted by key.
bool is_same_way(const netlink::Route& route, const std::vector<netlink::Route>& wanted,
                 const IpPrefix& cidr) {
  const netlink::Route key = normalised(netlink::Route{.dst = cidr});
  const auto ours = std::lower_bound(wanted.begin(), wanted.end(), key, netlink::key_before);
  return ours != wanted.end() && same_key(*ours, key) && ours->gateway && ours->gateway == route.gateway &&
         ours->link == route.link;
}

void ask_the_kernel(netlink::Socket& socket, const std::vector<IpPrefix>& cidrs,
                    const std::vector<netlink::Route>& wanted, Obstacles& obstacles) {
  std::vector<IpAddress> addresses;
  addresses.reserve(cidrs.size());
  for (const IpPrefix& cidr : cidrs) addresses.push_back(cidr.is_host() ? cidr.address : cidr.address.next());
  const auto routes = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < cidrs.size(); ++i)
    if (!routes[i])
      obstacles[cidrs[i]] = fmt::format("a route or rule refuses packets to {}", addresses[i].to_string());
    else if ((routes[i]->dst != cidrs[i] || !is_node_route(*routes[i])) &&
             !is_same_way(*routes[i], wanted, cidrs[i]))
      obstacles[cidrs[i]] =
          fmt::format("packets to {} take {}", addresses[i].to_string(), describe(socket, *routes[i]));
}

void look_for_more_specific(netlink::Socket& socket, const std::vector<IpPrefix>& cidrs,
                            const std::vector<netlink::Route>& wanted, Obstacles& obstacles) {
  const std::set<IpPrefix> starts(cidrs.begin(), cidrs.end());  // they do not overlap
  for (const netlink::Route& route : netlink::list_routes(socket, {.table = RT_TABLE_MAIN})) {
    const auto after = starts.upper_bound(route.dst);
    if (after == starts.begin() || is_node_route(route)) continue;
    const IpPrefix& cidr = *std::prev(after);
    if (cidr.contains(route.dst.address) && route.dst.length > cidr.length &&
        !is_same_way(route, wanted, cidr))
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
  ask_the_kernel(socket, cidrs, desired.routes, obstacles);
  look_for_more_specific(socket, cidrs, desired.routes, obstacles);
  return obstacles;
}

}  // namespace onlink::node
