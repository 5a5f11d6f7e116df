// SPDX-License-Identifier: Apache-2.0
#include "node/routes/host.h"

#include <fmt/format.h>
#include <linux/ip.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <tuple>
#include <utility>

#include "netlink/forwarding.h"
#include "netlink/neighbour.h"
#include "netlink/route_key.h"
#include "netlink/rule.h"
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
  // The tunnel's own address, too: a pod may have it already.
  for (const auto& tunnel : {tunnel_address(cluster.self), tunnel_address_v6(cluster.self)})
    if (tunnel) addresses.push_back(*tunnel);
  for (const Node& peer : cluster.peers) add(peer);
  return addresses;
}

void read_paths(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  const auto addresses = node_addresses(cluster);
  auto paths = netlink::lookup_routes(socket, addresses);
  for (std::size_t i = 0; i < addresses.size(); ++i) host.paths.emplace(addresses[i], std::move(paths[i]));
}

void read_outer_paths(netlink::Socket& socket, const Cluster& cluster,
                      const std::vector<netlink::Rule>& rules, Host& host) {
  const auto own = outer_address(cluster, cluster.self);
  if (!own || !host.has_own(*own) ||
      std::none_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.asks_for_more(); }))
    return;
  std::vector<netlink::Flow> flows;
  for (const Node& peer : cluster.peers)
    if (may_tunnel(cluster, peer, Encapsulation::vxlan))
      flows.push_back({*outer_address(cluster, peer), *own, 0, {IPPROTO_UDP, 0, cluster.vxlan_port}});
    else if (may_tunnel(cluster, peer, Encapsulation::ipip))
      flows.push_back({*peer.ipv4, *own});
  auto paths = netlink::lookup_forwards(socket, flows);
  for (std::size_t i = 0; i < flows.size(); ++i)
    if (paths[i] != host.paths.at(flows[i].dst)) host.outer_paths.emplace(flows[i].dst, std::move(paths[i]));
}

void read_links(netlink::Socket& socket, Host& host) {
  const auto add = [&](std::uint32_t index) {
    if (index == 0 || host.links.contains(index)) return;
    const auto link = netlink::find_link(socket, index);
    if (!link) return;
    host.links.emplace(index, *link);
    if (auto master = netlink::find_link(socket, link->master))
      host.links.emplace(master->index, std::move(*master));
  };
  const auto add_all = [&](const netlink::Route& route) {
    add(route.link);
    for (const netlink::NextHop& hop : route.multipath) add(hop.link);
  };
  for (const auto* paths : {&host.paths, &host.outer_paths})
    for (const auto& [address, path] : *paths)
      if (path) add_all(*path);
  for (const netlink::Route& route : host.routes) add_all(route);
}

// Also a host end is known whose alias somebody has changed; a route whose interface has just gone may be a pod's.
std::set<std::uint32_t> links_without_pods(netlink::Socket& socket, const std::string& pod_interfaces) {
  std::set<std::uint32_t> links;
  for (const netlink::Link& link : netlink::list_links(socket))
    if (!link.alias.starts_with(netlink::host_end_alias) && !link.name.starts_with(pod_interfaces))
      links.insert(link.index);
  return links;
}

// A route of ours with the shape of an attachment's that leads to no pod's interface is the node's.
void separate_attachments(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  if (std::none_of(host.routes.begin(), host.routes.end(), has_the_shape_of_an_attachment)) return;
  const auto others = links_without_pods(socket, cluster.pod_interface_prefix);
  const auto rest =
      std::stable_partition(host.routes.begin(), host.routes.end(), [&](const netlink::Route& route) {
        return !has_the_shape_of_an_attachment(route) || others.contains(route.link);
      });
  host.attachments.assign(rest, host.routes.end());
  host.routes.erase(rest, host.routes.end());
}

// Networks of other interfaces that nodes are in: a policy rule may lead to these nodes elsewhere.
void read_near_links(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  const auto has_node = [&](const IpPrefix& network) {
    return std::any_of(cluster.peers.begin(), cluster.peers.end(), [&](const Node& peer) {
      return (peer.ipv4 && network.contains(*peer.ipv4)) || (peer.ipv6 && network.contains(*peer.ipv6));
    });
  };
  for (const netlink::Address& address : netlink::list_addresses(socket))
    if (address.scope == RT_SCOPE_UNIVERSE && !address.prefix.is_host() &&
        !host.links.contains(address.link) && has_node(address.prefix))
      if (auto link = netlink::find_link(socket, address.link))
        host.links.emplace(address.link, std::move(*link));
}

void read_default_gateways(netlink::Socket& socket, Host& host) {
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
    const auto route = netlink::default_route(socket, family);
    if (!route) continue;
    if (route->gateway) host.default_gateways.insert(*route->gateway);
    for (const netlink::NextHop& hop : route->multipath)
      if (hop.gateway) host.default_gateways.insert(*hop.gateway);
  }
}

// Equal paths have the same source, so the kernel is asked once for each.
void read_sources(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  using Form = std::tuple<IpPrefix, std::optional<IpAddress>, std::uint32_t>;
  std::map<Form, std::optional<IpAddress>> sources;
  for (const Node& peer : cluster.peers) {
    if (!peer.ipv4) continue;
    const netlink::Route* path = host.path_to(*peer.ipv4);
    if (path == nullptr || path->type != RTN_UNICAST) continue;
    const auto [source, is_new] = sources.try_emplace({path->dst, path->gateway, path->link}, path->source);
    if (is_new && !source->second) source->second = netlink::lookup_source(socket, *peer.ipv4);
    if (source->second) host.sources.emplace(*peer.ipv4, *source->second);
  }
}

// The source of packets from a tunnel without `local` depends on the route to the other node, and the other node accepts
// only this node's address.
bool needs_own_tunnel(const Cluster& cluster, const Host& host) {
  if (!cluster.self.ipv4 || !host.has_own(*cluster.self.ipv4)) return false;
  return std::any_of(cluster.peers.begin(), cluster.peers.end(), [&](const Node& peer) {
    if (!may_tunnel(cluster, peer, Encapsulation::ipip)) return false;
    const auto source = host.sources.find(*peer.ipv4);
    if (source == host.sources.end() || source->second == cluster.self.ipv4) return false;
    return mode_between(cluster, peer) == IpipMode::always || !on_link(host, *host.path_to(*peer.ipv4));
  });
}

void read_underlay(netlink::Socket& socket, Host& host) {
  for (const auto& [index, link] : host.links) {
    if (!link.ipv4_conf.empty() && link.ipv4_setting(IPV4_DEVCONF_FORWARDING) == 0)
      host.not_forwarding.insert(index);
    const bool strict = is_strict(link);
    if (strict) host.strict.insert(index);
    if ((link.flags & (IFF_LOOPBACK | IFF_NOARP)) != 0 || link.name == vxlan_name) continue;
    for (netlink::Address& address : netlink::list_addresses(socket, index))
      if (!address.prefix.is_host() && address.scope != RT_SCOPE_LINK)
        host.underlay_addresses.push_back(std::move(address));
    for (const netlink::Neighbour& neighbour : netlink::list_neighbours(socket, index))
      if (neighbour.is_silent)
        host.dead_neighbours.emplace(index, neighbour.address);
      else if (strict && (neighbour.state & NUD_INCOMPLETE) == 0)
        host.near.emplace(index, neighbour.address);
  }
}

// For a node that cannot reach its own address, as in a VRF, or does not have it.
void read_unreached(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  for (const auto& own : {cluster.self.ipv4, cluster.self.ipv6}) {
    if (!own || host.has_own(*own)) continue;
    for (const netlink::Address& address : netlink::list_addresses(socket))
      if (address.prefix.address == *own)
        if (auto link = netlink::find_link(socket, address.link))
          host.unreached.emplace(*own, OwnAddress{std::move(*link), address.flags});
  }
}

// An address has a network in its prefix, but only a route says that this is on the link: somebody may have removed that, or
// never made it (noprefixroute).
void read_connected(netlink::Socket& socket, const Cluster& cluster, Host& host) {
  const auto is_in_main = [&](const std::optional<IpAddress>& address) {
    const netlink::Route* path = address ? host.path_to(*address) : nullptr;
    return !address || (path != nullptr && !host.is_before_main(*path));
  };
  if (std::all_of(cluster.peers.begin(), cluster.peers.end(),
                  [&](const Node& peer) { return is_in_main(peer.ipv4) && is_in_main(peer.ipv6); }))
    return;
  for (netlink::Route& route : netlink::list_routes(socket, {.table = RT_TABLE_MAIN}))
    if (host.link(route.link) != nullptr && on_link(host, route)) host.connected.push_back(std::move(route));
}

bool forwarding(const char* setting) { return netlink::read_sysctl(setting).value_or("0") != "0"; }

}  // namespace

bool has_the_shape_of_an_attachment(const netlink::Route& route) {
  return route.type == RTN_UNICAST && route.dst.is_host() && !route.gateway && route.multipath.empty();
}

namespace {

bool is_ours(const netlink::Route& route) {
  return route.protocol == netlink::onlink_protocol && route.table == RT_TABLE_MAIN;
}

}  // namespace

bool is_attachment_route(const netlink::Route& route) {
  return is_ours(route) && has_the_shape_of_an_attachment(route);
}

bool is_node_route(const netlink::Route& route) {
  return is_ours(route) && !has_the_shape_of_an_attachment(route);
}

std::vector<IpAddress> own_addresses(const Cluster& cluster, const Host& host) {
  std::vector<IpAddress> addresses;
  for (const auto& own : {cluster.self.ipv4, cluster.self.ipv6})
    if (own && host.has_own(*own)) addresses.push_back(*own);
  return addresses;
}

const netlink::Link* Host::link(std::uint32_t index) const {
  const auto found = links.find(index);
  return found == links.end() ? nullptr : &found->second;
}

const netlink::Route* Host::path_to(const IpAddress& address) const {
  const auto found = paths.find(address);
  return found == paths.end() || !found->second ? nullptr : &*found->second;
}

const netlink::Route* Host::outer_path_to(const IpAddress& address) const {
  const auto found = outer_paths.find(address);
  if (found == outer_paths.end()) return path_to(address);
  return found->second ? &*found->second : nullptr;
}

bool Host::has_own(const IpAddress& address) const {
  const netlink::Route* path = path_to(address);
  return path != nullptr && path->type == RTN_LOCAL;
}

std::string Host::tunnel_device() const {
  if (tunnel) return tunnel->name;
  return needs_own_tunnel ? own_tunnel_name : tunnel_name;
}

bool Host::is_tunnel(std::uint32_t index) const {
  return (tunl0 && tunl0->index == index) || (own_tunnel && own_tunnel->index == index);
}

std::string Host::link_name(std::uint32_t index) const {
  if (index == tunnel_to_come) return tunnel_device();
  if (index == vxlan_to_come) return vxlan_name;
  const netlink::Link* known = link(index);
  return known == nullptr ? fmt::format("if{}", index) : known->name;
}

std::string rp_filter_setting(const std::string& link) {
  return fmt::format("net/ipv4/conf/{}/rp_filter", link);
}

// The larger of the two counts; 2 accepts any way back.
bool is_strict(const netlink::Link& link) {
  const auto all = netlink::read_sysctl("net/ipv4/conf/all/rp_filter").value_or("0");
  const auto own = link.ipv4_setting(IPV4_DEVCONF_RP_FILTER);
  return all != "2" && own != 2 && (all == "1" || own == 1);
}

bool has_neighbours(const Host& host, const netlink::Route& path) {
  const netlink::Link* link = host.link(path.link);
  constexpr unsigned no_neighbours = IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT;
  return link == nullptr || (link->flags & no_neighbours) == 0;
}

bool on_link(const Host& host, const netlink::Route& path) {
  return path.type == RTN_UNICAST && !path.gateway && path.link != 0 && path.dst.length != 0 &&
         path.encapsulation == 0 && has_neighbours(host, path);
}

// The module's own device takes all packets that no other tunnel takes, even after it was renamed.
void read_tunnel(netlink::Socket& socket, const std::optional<IpAddress>& local, Host& host) {
  host.tunl0 = netlink::find_link(socket, tunnel_name);
  if (!host.tunl0)
    for (netlink::Link& link : netlink::list_links(socket, "ipip"))
      if (!link.ipip || (!link.ipip->local && !link.ipip->remote)) host.tunl0 = std::move(link);
  host.own_tunnel = netlink::find_link(socket, own_tunnel_name);
  const auto addresses = [&](const std::optional<netlink::Link>& device) {
    if (device) host.links.emplace(device->index, *device);
    return device ? netlink::list_addresses(socket, device->index) : std::vector<netlink::Address>{};
  };
  host.tunl0_addresses = addresses(host.tunl0);
  host.tunnel = host.tunl0;
  host.tunnel_addresses = host.tunl0_addresses;
  if (!host.needs_own_tunnel) return;
  // With other settings it is made again.
  const netlink::IpipSettings wanted{.local = local, .remote = {}, .ttl = 0, .pmtudisc = true};
  host.tunnel = host.own_tunnel;
  if (host.tunnel && host.tunnel->ipip && host.tunnel->ipip != wanted) host.tunnel.reset();
  host.tunnel_addresses = addresses(host.tunnel);
}

// One that somebody has renamed is known by its MAC. It must go: its VNI and port can be used once only.
void read_vxlan(netlink::Socket& socket, Host& host) {
  host.vxlan = netlink::find_link(socket, vxlan_name);
  if (!host.vxlan)
    for (netlink::Link& link : netlink::list_links(socket, "vxlan"))
      if (link.vxlan && link.vxlan->local && link.mac == vxlan_mac(*link.vxlan->local))
        host.vxlan = std::move(link);
  host.vxlan_addresses.clear();
  host.vxlan_entries = {};
  if (!host.vxlan) return;
  const std::uint32_t index = host.vxlan->index;
  host.links.emplace(index, *host.vxlan);
  if (is_strict(*host.vxlan)) host.strict.insert(index);
  host.vxlan_addresses = netlink::list_addresses(socket, index);
  auto& [fdb, neighbours] = host.vxlan_entries;
  fdb = netlink::list_fdb(socket, index);
  neighbours = netlink::list_neighbours(socket, index);
  std::erase_if(neighbours, [](const auto& neighbour) { return neighbour.state != NUD_PERMANENT; });
  std::sort(neighbours.begin(), neighbours.end());
}

Host read_host(netlink::Socket& socket, const Cluster& cluster) {
  Host host;
  host.routes = netlink::list_routes(
      socket, {.family = {}, .table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol, .link = 0});
  for (netlink::Route& route : host.routes) route = normalised(std::move(route));
  separate_attachments(socket, cluster, host);
  std::stable_sort(host.routes.begin(), host.routes.end(), netlink::key_before);
  const auto rules = netlink::list_rules(socket);
  host.tables_before_main = netlink::tables_before_main(rules);
  read_paths(socket, cluster, host);
  read_outer_paths(socket, cluster, rules, host);
  read_links(socket, host);
  read_near_links(socket, cluster, host);
  read_default_gateways(socket, host);
  read_sources(socket, cluster, host);
  host.needs_own_tunnel = needs_own_tunnel(cluster, host);
  read_tunnel(socket, cluster.self.ipv4, host);
  read_vxlan(socket, host);
  read_underlay(socket, host);
  read_unreached(socket, cluster, host);
  read_connected(socket, cluster, host);
  host.forwarding_v4 = forwarding("net/ipv4/ip_forward");
  host.forwarding_v6 = forwarding("net/ipv6/conf/all/forwarding");
  const auto& cidrs = cluster.self.pod_cidrs;
  const bool v6 =
      std::any_of(cidrs.begin(), cidrs.end(), [](const IpPrefix& cidr) { return !cidr.address.is_v4(); });
  if (v6 && !host.forwarding_v6) host.need_accept_ra = netlink::links_that_need_accept_ra(socket);
  return host;
}

// Of several routes with one key, the kernel uses and replaces the first.
std::vector<std::optional<netlink::Route>> find_holders(netlink::Socket& socket,
                                                        const std::vector<netlink::Route>& wanted) {
  std::vector<std::optional<netlink::Route>> holders(wanted.size());
  std::map<netlink::Route, std::size_t, decltype(&netlink::key_before)> places(netlink::key_before);
  std::set<IpFamily> families;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    places.emplace(wanted[i], i);
    families.insert(wanted[i].dst.family());
  }
  for (const IpFamily family : families)
    for (netlink::Route& each : netlink::list_routes(socket, {.family = family, .table = RT_TABLE_MAIN})) {
      netlink::Route route = normalised(std::move(each));
      const auto place = places.find(route);
      if (place == places.end()) continue;
      holders[place->second] = std::move(route);
      places.erase(place);
    }
  return holders;
}

}  // namespace onlink::node
