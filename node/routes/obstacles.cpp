// SPDX-License-Identifier: Apache-2.0
#include "node/routes/obstacles.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/route_key.h"
#include "netlink/rule.h"
#include "node/routes/host.h"
#include "node/routes/senders.h"

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
  const netlink::Route* ours = route_to_subnet(wanted, cidr);
  return ours != nullptr && ours->gateway && ours->gateway == route.gateway && ours->link == route.link;
}

// Subnets that do not overlap: the one that has this in it, or nothing.
const IpPrefix* holder_of(const std::set<IpPrefix>& subnets, const IpPrefix& part) {
  const auto after = subnets.upper_bound(part);
  if (after == subnets.begin()) return nullptr;
  const IpPrefix& subnet = *std::prev(after);
  return subnet.contains(part) ? &subnet : nullptr;
}

// What a rule or a table is about may go another way than the rest of its subnet, which begins anew behind it.
void add_bounds(const IpPrefix& part, const std::set<IpPrefix>& subnets, std::vector<Probe>& probes) {
  const IpPrefix* subnet = holder_of(subnets, part);
  if (subnet == nullptr || part.length == subnet->length) return;
  probes.push_back({part.network().address, *subnet});
  if (const IpAddress behind = part.last().next(); subnet->contains(behind))
    probes.push_back({behind, *subnet});
}

// So each way that packets to a subnet take, by their destination, is that of one of its probes; except for what table
// main has, which is compared (look_for_more_specific). attachments: routes to this node's pods.
std::vector<Probe> probes_of(netlink::Socket& socket, const std::set<IpPrefix>& subnets,
                             const std::vector<netlink::Route>& attachments,
                             const std::vector<netlink::Rule>& rules) {
  std::vector<Probe> probes;
  probes.reserve(subnets.size());
  for (const IpPrefix& subnet : subnets)
    probes.push_back({subnet.is_host() ? subnet.address : subnet.address.next(), subnet});
  auto tables = netlink::tables_before_main(rules);
  // Without these nothing is before the pods' own routes.
  if (!tables.empty() ||
      std::any_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.table == 0; }))
    for (const netlink::Route& route : attachments)
      if (const IpPrefix* subnet = holder_of(subnets, route.dst))
        probes.push_back({route.dst.address, *subnet, true});
  for (const netlink::Rule& rule : rules) {
    if (rule.dst) add_bounds(*rule.dst, subnets, probes);
    if (rule.src) add_bounds(*rule.src, subnets, probes);  // of what comes back from there
  }
  tables.insert(RT_TABLE_LOCAL);
  for (const std::uint32_t table : tables)
    for (const netlink::Route& route : netlink::list_routes(socket, {.table = table}))
      add_bounds(route.dst, subnets, probes);
  return probes;
}

std::string refusal(const Probe& probe) {
  return fmt::format("a route or rule refuses packets to {}", probe.address.to_string());
}
std::string detour(netlink::Socket& socket, const Probe& probe, const netlink::Route& route) {
  return fmt::format("packets to {} take {}", probe.address.to_string(), describe(socket, route));
}

bool is_ours(const netlink::Route& route, const IpPrefix& cidr) {
  return route.dst == cidr && is_node_route(route);
}

// Whether packets to this node's pods come to table main, or to what leads to one interface as the pods' routes there.
// Main itself refuses what no pod has.
bool is_for_pods(const std::optional<netlink::Route>& route, const Probe& probe) {
  if (!route) return !probe.is_pod;
  return route->table == RT_TABLE_MAIN || route->table == RT_TABLE_LOCAL ||
         has_the_shape_of_an_attachment(*route);
}

// own: this node's subnets. What is in the way of packets to these concerns all peers of their family.
void ask_the_kernel(netlink::Socket& socket, const std::vector<Probe>& probes, const std::set<IpPrefix>& own,
                    const std::vector<netlink::Route>& wanted, Obstacles& obstacles) {
  std::vector<IpAddress> addresses;
  addresses.reserve(probes.size());
  for (const Probe& probe : probes) addresses.push_back(probe.address);
  const auto routes = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = probes[i];
    const auto& route = routes[i];
    const bool is_right = own.contains(probe.subnet) ? is_for_pods(route, probe)
                                                     : route && (is_ours(*route, probe.subnet) ||
                                                                 is_same_way(*route, wanted, probe.subnet));
    if (!is_right && !obstacles.contains(probe.subnet))
      obstacles[probe.subnet] = route ? detour(socket, probe, *route) : refusal(probe);
  }
}

std::string in_words(const netlink::Transport& transport) {
  const auto& [protocol, from_port, to_port] = transport;
  std::string words = protocol == IPPROTO_TCP   ? "TCP packets"
                      : protocol == IPPROTO_UDP ? "UDP packets"
                                                : "packets";
  if (from_port != 0) words += fmt::format(" of port {}", from_port);
  if (to_port != 0) words += fmt::format(" for port {}", to_port);
  return words;
}

bool leads_to(const std::optional<netlink::Route>& route, const netlink::Route& pod) {
  return route && has_the_shape_of_an_attachment(*route) && route->link == pod.link;
}

void ask_about_senders(netlink::Socket& socket, const std::vector<Sent>& packets,
                       const std::vector<netlink::Route>& wanted, Obstacles& obstacles) {
  std::vector<netlink::Flow> flows;
  flows.reserve(packets.size());
  for (const Sent& packet : packets) flows.push_back(packet.flow);
  const auto routes = netlink::lookup_forwards(socket, flows);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const auto& [flow, subnet, pod, is_back] = packets[i];
    const auto& route = routes[i];
    const bool is_right = is_back ? leads_to(route, pod)
                                  : route && (is_ours(*route, subnet) || is_same_way(*route, wanted, subnet));
    if (is_right || obstacles.contains(subnet)) continue;
    // The pod may have gone meanwhile.
    if (!route && pod.link != 0 && !leads_to(netlink::lookup_route(socket, pod.dst.address), pod)) continue;
    obstacles[subnet] = fmt::format(
        "{} from {} to {} {}", in_words(flow.transport), flow.from.to_string(), flow.dst.to_string(),
        route ? "take " + describe(socket, *route) : "are refused by a route or rule");
  }
}

void look_for_more_specific(netlink::Socket& socket, const std::set<IpPrefix>& cidrs,
                            const std::vector<netlink::Route>& wanted, Obstacles& obstacles) {
  for (const netlink::Route& route : netlink::list_routes(socket, {.table = RT_TABLE_MAIN})) {
    const IpPrefix* cidr = is_node_route(route) ? nullptr : holder_of(cidrs, route.dst);
    if (cidr != nullptr && route.dst.length > cidr->length && !is_same_way(route, wanted, *cidr))
      obstacles.try_emplace(
          *cidr, fmt::format("packets to {} take {}", route.dst.to_string(), describe(socket, route)));
  }
}

// Takes what was found about this node's own subnets out, and puts it to the peers.
void share(const std::set<IpPrefix>& own, const std::set<IpPrefix>& cidrs, Obstacles& obstacles) {
  for (const IpPrefix& subnet : own) {
    const auto found = obstacles.extract(subnet);
    if (found.empty()) continue;
    for (const IpPrefix& cidr : cidrs)
      if (cidr.family() == subnet.family())
        obstacles.try_emplace(cidr, "what comes back to this node's pods: " + found.mapped());
  }
}

}  // namespace

Obstacles find_obstacles(netlink::Socket& socket, const Cluster& cluster, const Host& host,
                         const Desired& desired, const std::set<IpPrefix>& without_route) {
  std::set<IpPrefix> cidrs, own;
  for (const PeerPath& path : desired.paths)
    if (path.kind != PathKind::none && path.obstacle.empty() && !without_route.contains(path.cidr.network()))
      cidrs.insert(path.cidr.network());
  Obstacles obstacles;
  if (cidrs.empty()) return obstacles;
  for (const IpPrefix& cidr : cluster.self.pod_cidrs) own.insert(cidr.network());
  std::set<IpPrefix> subnets = own;
  subnets.insert(cidrs.begin(), cidrs.end());
  const auto rules = netlink::list_rules(socket);
  auto probes = probes_of(socket, subnets, host.attachments, rules);
  ask_the_kernel(socket, probes, own, desired.routes, obstacles);
  std::erase_if(probes, [&](const Probe& probe) { return own.contains(probe.subnet); });
  ask_about_senders(socket,
                    packets_by_sender(socket, rules, probes, {host.attachments, own_addresses(cluster, host)},
                                      desired.routes),
                    desired.routes, obstacles);
  look_for_more_specific(socket, cidrs, desired.routes, obstacles);
  share(own, cidrs, obstacles);
  return obstacles;
}

}  // namespace onlink::node
