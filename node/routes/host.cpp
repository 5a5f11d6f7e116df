// SPDX-License-Identifier: Apache-2.0
#include "node/routes/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "netlink/forwarding.h"
#include "netlink/route_key.h"
#include "netlink/sysctl.h"

namespace onlink::node {
namespace {

std::vector<IpAddress> node_addresses(const Cluster& cluster) {
  std::vector<IpAddress> addresses;
  const auto add = [&](const Node& node) {
    if (node.ipv4) addresses.push_back(*node.ipv4);
    if (node.ipv6) addresses.push_back(*node.ipv6);
  };
  add(cluster.self);
  // Whose the tunnel's address is: a pod may have it already.
  if (const auto tunnel = tunnel_address(cluster.self)) addresses.push_back(*tunnel);
  for (const Node& peer : cluster.peers) add(peer);
  return addresses;
}

void read_paths(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  const auto addresses = node_addresses(cluster);
  auto paths = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < addresses.size(); ++i) host.paths.emplace(addresses[i], std::move(paths[i]));
}

void read_links(netlink::Socket& socket, Host& host) {
  const auto add = [&](std::uint32_t index) {
    if (index == 0 || host.links.contains(index)) return;
    if (auto link = netlink::find_link(socket, index)) host.links.emplace(index, std::move(*link));
  };
  for (const auto& [address, path] : host.paths)
    if (path) add(path->link);
  for (const netlink::Route& route : host.routes) add(route.link);
}

bool forwarding(const char* setting) { return netlink::read_sysctl(setting).value_or("0") != "0"; }

}  // namespace

bool is_node_route(const netlink::Route& route) {
  return route.protocol == netlink::onlink_protocol && route.table == RT_TABLE_MAIN &&
         (route.gateway || route.type == RTN_BLACKHOLE);
}

std::string Host::link_name(std::uint32_t index) const {
  if (index == tunnel_to_come) return tunnel_name;
  const auto found = links.find(index);
  return found == links.end() ? fmt::format("if{}", index) : found->second.name;
}

void read_tunnel(netlink::Socket& socket, Host& host) {
  host.tunnel = netlink::find_link(socket, tunnel_name);
  if (!host.tunnel) return;
  host.links.emplace(host.tunnel->index, *host.tunnel);
  host.tunnel_addresses = netlink::list_addresses(socket, host.tunnel->index);
}

Host read_host(netlink::Socket& socket, const Cluster& cluster) {
  Host host;
  host.routes = netlink::list_routes(
      socket, {.family = {}, .table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol, .link = 0});
  std::erase_if(host.routes, [](const netlink::Route& route) { return !is_node_route(route); });
  for (netlink::Route& route : host.routes) route = normalised(std::move(route));
  std::sort(host.routes.begin(), host.routes.end(), netlink::key_before);
  read_paths(socket, cluster, host);
  read_tunnel(socket, host);
  read_links(socket, host);
  host.forwarding_v4 = forwarding("net/ipv4/ip_forward");
  host.forwarding_v6 = forwarding("net/ipv6/conf/all/forwarding");
  const auto& cidrs = cluster.self.pod_cidrs;
  const bool v6 =
      std::any_of(cidrs.begin(), cidrs.end(), [](const IpPrefix& cidr) { return !cidr.address.is_v4(); });
  if (v6 && !host.forwarding_v6) host.need_accept_ra = netlink::links_that_need_accept_ra(socket);
  return host;
}

std::vector<std::optional<netlink::Route>> find_holders(netlink::Socket& socket,
                                                        const std::vector<netlink::Route>& wanted) {
  std::vector<IpAddress> addresses;
  addresses.reserve(wanted.size());
  for (const netlink::Route& route : wanted) addresses.push_back(route.dst.address);
  auto holders = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < holders.size(); ++i) {
    if (!holders[i]) continue;
    holders[i] = normalised(std::move(*holders[i]));
    if (!same_key(*holders[i], wanted[i])) holders[i].reset();
  }
  return holders;
}

}  // namespace onlink::node
