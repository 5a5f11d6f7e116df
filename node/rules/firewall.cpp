// SPDX-License-Identifier: Apache-2.0
#include "node/rules/firewall.h"

#include <fmt/format.h>
#include <linux/in.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "base/failure.h"
#include "base/fnv.h"
#include "nft/dropping.h"
#include "nft/table.h"
#include "nft/transaction.h"
#include "node/rules/legacy_iptables.h"

namespace onlink::node {
namespace {

using nft::AddressRange;
using nft::ElementsBySet;
using nft::Ruleset;
using nft::TableChange;

std::string fingerprint(const std::string& text) { return fmt::format("{:016x}", fnv1a(text)); }

Loaded fingerprints_of(const Ruleset& ruleset, const ElementsBySet& sets) {
  std::string elements;
  const auto append = [&](const IpAddress& address) {
    elements.append(address.bytes().begin(), address.bytes().end());
  };
  for (const auto& [set, ranges] : sets) {
    elements += set;
    for (const AddressRange& range : ranges) {
      append(range.first);
      append(range.last);
      if (range.sender) append(*range.sender);
    }
  }
  return {fingerprint(nft::print_structure(ruleset)), fingerprint(elements), "", ""};
}

// asked: the fingerprints of what is wanted. loaded: of what is there, unless somebody has changed it. elements: the
// loaded elements, if they are remembered.
TableChange change_for(const Ruleset& wanted, const ElementsBySet& sets, const Loaded& asked,
                       const Loaded& loaded, const ElementsBySet* elements = nullptr) {
  const TableChange replaced{TableChange::Whole::replace};
  if (wanted.empty())
    return {nft::has_nft_table(wanted.table) ? TableChange::Whole::remove : TableChange::Whole::keep};
  if (asked.structure != loaded.structure) return replaced;
  const bool known = Firewall::untouched(loaded);
  if (known && asked.elements == loaded.elements) return {};
  if (!known && fingerprint(nft::rules_of_table(wanted.table)) != loaded.listing) return replaced;
  TableChange change;
  if (known && elements != nullptr) {
    for (const auto& [set, ranges] : sets) change.turn(set, elements->at(set), ranges);
    return change;
  }
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  for (const auto& [set, ranges] : sets) {
    const IpFamily sender = ranges.empty() || !ranges[0].sender ? IpFamily::v4 : ranges[0].sender->family();
    const auto present = nft::list_set(socket, wanted.table, set, sender);
    if (!present) return replaced;
    change.turn(set, *present, ranges);
  }
  return change;
}

void keep_counts(const Ruleset& wanted, TableChange& change) {
  if (change.whole == TableChange::Whole::replace) change.counts = Firewall::counts(wanted.table);
}

std::string mending_by(const std::string& iptables, const std::string& pods) {
  return fmt::format("{0} -I FORWARD -i {1}+ -j ACCEPT && {0} -I FORWARD -o {1}+ -j ACCEPT", iptables, pods);
}

// What lets packets of pods through a chain, in both directions, where the chain sees both.
std::string mending(const nft::DroppingChain& chain, const Cluster& cluster) {
  const std::string& pods = cluster.pod_interface_prefix;
  // iptables should change what iptables made.
  if (chain.table == "filter" && chain.name == "FORWARD" && (chain.family == "ip" || chain.family == "ip6"))
    return mending_by(chain.family == "ip" ? "iptables" : "ip6tables", pods);
  const bool arrives = chain.hook == NF_INET_INGRESS || chain.hook == NF_INET_PRE_ROUTING;
  const bool leaves = chain.hook == nft::egress || chain.hook == NF_INET_POST_ROUTING;
  std::vector<std::string> whose;
  if (chain.hook != NF_INET_INGRESS && !leaves) whose.push_back(fmt::format("iifname \"{}*\"", pods));
  if (chain.hook != nft::egress && !arrives) whose.push_back(fmt::format("oifname \"{}*\"", pods));
  for (const IpPrefix& cidr : cluster.self.pod_cidrs) {
    const char* const header = cidr.address.is_v4() ? "ip" : "ip6";
    const bool is_seen = chain.family == "inet" || chain.family == "netdev" || chain.family == header;
    if (is_seen && (arrives || leaves))
      whose.push_back(fmt::format("{} {} {}", header, arrives ? "daddr" : "saddr", cidr.to_string()));
  }
  std::string rules;
  for (const std::string& each : whose)
    rules += fmt::format("{}insert rule {} {} {} {} accept", rules.empty() ? "" : "; ", chain.family,
                         chain.table, chain.name, each);
  return fmt::format("nft '{}'", rules);
}

std::string obstacle(const std::string& chain, const std::string& what, bool by_name,
                     const std::string& command) {
  return fmt::format(
      "chain {} {}; this lets them through: {}", chain,
      by_name ? "has a rule that drops " + what : "drops what it does not know, " + what + " among them",
      command);
}

std::string obstacle(const nft::DroppingChain& chain, const std::string& what, const std::string& command) {
  return obstacle(fmt::format("{} of table {} {}", chain.name, chain.family, chain.table), what,
                  chain.by_name, command);
}

constexpr const char* packets_of_pods = "packets of pods";

bool are_of(const std::vector<IpPrefix>& networks, IpFamily family) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpPrefix& network) { return network.family() == family; });
}

// To the other nodes' pods and back; on a node that has no others, among its own.
std::vector<nft::Packets> flows_of_pods(const Cluster& cluster, const Desired& desired, const Host& host,
                                        IpFamily family) {
  std::vector<IpPrefix> others;
  std::set<std::uint32_t> links;
  for (const netlink::Route& route : desired.routes)
    if (route.gateway && route.dst.family() == family) {
      others.push_back(route.dst);
      links.insert(route.link);
    }
  const nft::Values pods = nft::Values::interfaces(cluster.pod_interface_prefix);
  std::vector<nft::Values> ways;
  ways.reserve(links.size());
  for (const std::uint32_t link : links) ways.push_back(nft::Values::interface(host.link_name(link)));
  if (others.empty()) {
    others = cluster.self.pod_cidrs;
    ways = {pods};
  }
  nft::Packets packets(family);
  packets.with_protocols({IPPROTO_TCP, IPPROTO_UDP});
  packets.to_any_port();
  packets.is_direction = true;
  nft::Packets back = packets;
  packets.set(nft::Field::in, {pods});
  packets.set(nft::Field::out, ways);
  packets.from(cluster.self.pod_cidrs);
  packets.to(others);
  back.set(nft::Field::in, std::move(ways));
  back.set(nft::Field::out, {pods});
  back.from(others);
  back.to(cluster.self.pod_cidrs);
  return {std::move(packets), std::move(back)};
}

std::vector<std::string> forward_obstacles(const Cluster& cluster, const Desired& desired, const Host& host) {
  std::vector<std::string> obstacles;
  std::vector<nft::Packets> flows;
  const std::string& pods = cluster.pod_interface_prefix;
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
    if (!are_of(cluster.self.pod_cidrs, family)) continue;
    if (const std::string program = legacy_forward_drops(pods, family); !program.empty())
      obstacles.push_back(
          obstacle("FORWARD of " + program, packets_of_pods, false, mending_by(program, pods)));
    for (nft::Packets& flow : flows_of_pods(cluster, desired, host, family)) flows.push_back(std::move(flow));
  }
  static constexpr std::uint32_t hooks[] = {NF_INET_INGRESS, NF_INET_PRE_ROUTING, NF_INET_FORWARD,
                                            NF_INET_POST_ROUTING, nft::egress};
  for (const nft::DroppingChain& chain : nft::chains_that_drop(hooks, flows))
    obstacles.push_back(obstacle(chain, packets_of_pods, mending(chain, cluster)));
  return obstacles;
}

// A tunnel's packets, in the words of firewalls.
struct TunnelPackets {
  const char* what;
  std::string iptables, nft;
  nft::Packets packets;  // without their addresses
  IpAddress local;
  std::vector<IpPrefix> others;  // the other nodes
};

void add_tunnel_obstacles(const TunnelPackets& tunnel, const Host& host,
                          std::vector<std::string>& obstacles) {
  std::vector<nft::Values> ways;
  for (const IpPrefix& other : tunnel.others)
    if (const netlink::Route* path = host.outer_path_to(other.address); path != nullptr && path->link != 0)
      ways.push_back(nft::Values::interface(host.link_name(path->link)));
  const std::vector<IpPrefix> local = {IpPrefix::host(tunnel.local)};
  static constexpr std::uint32_t in[] = {NF_INET_INGRESS, NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING};
  static constexpr std::uint32_t out[] = {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nft::egress};
  for (const bool leave : {false, true}) {
    nft::Packets packets = tunnel.packets;
    packets.set(leave ? nft::Field::out : nft::Field::in, ways);
    packets.from(leave ? local : tunnel.others);
    packets.to(leave ? tunnel.others : local);
    for (const nft::DroppingChain& chain :
         nft::chains_that_drop(leave ? std::span(out) : std::span(in), {packets})) {
      const bool of_iptables = chain.family != "inet" && chain.table == "filter" && chain.name == "INPUT";
      const char* const program = chain.family == "ip" ? "iptables" : "ip6tables";
      obstacles.push_back(
          obstacle(chain, tunnel.what + std::string(leave ? " to other nodes" : " of other nodes"),
                   of_iptables ? fmt::format("{} -I INPUT {} -j ACCEPT", program, tunnel.iptables)
                               : fmt::format("nft insert rule {} {} {} {} accept", chain.family, chain.table,
                                             chain.name, tunnel.nft)));
    }
  }
}

TunnelPackets vxlan_packets(const Desired& desired) {
  const netlink::VxlanSettings& vxlan = desired.vxlan->settings;
  TunnelPackets tunnel{"VXLAN packets",
                       fmt::format("-p udp --dport {}", vxlan.port),
                       fmt::format("udp dport {}", vxlan.port),
                       nft::Packets(vxlan.local->family()),
                       *vxlan.local,
                       {}};
  tunnel.packets.with_protocols({IPPROTO_UDP});
  tunnel.packets.to_port(vxlan.port);
  for (const netlink::FdbEntry& entry : desired.vxlan_entries.fdb)
    if (entry.remote) tunnel.others.push_back(IpPrefix::host(*entry.remote));
  return tunnel;
}

TunnelPackets ipip_packets(const IpAddress& local, const Desired& desired, const Host& host) {
  TunnelPackets tunnel{"IPIP packets", "-p 4", "ip protocol 4", nft::Packets(IpFamily::v4), local, {}};
  tunnel.packets.with_protocols({IPPROTO_IPIP});
  for (const netlink::Route& route : desired.routes)
    if (route.gateway && (route.link == tunnel_to_come || host.is_tunnel(route.link)))
      tunnel.others.push_back(IpPrefix::host(*route.gateway));
  return tunnel;
}

// The listing of a table that was just made; empty if somebody has changed it already: the rest must not pass for ours.
std::string listing_of(const Ruleset& made) {
  std::string listing = fingerprint(nft::rules_of_table(made.table));
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  return nft::has_all_rules(nft::list_chains(socket), made) ? listing : "";
}

// Another's change meanwhile must not pass for ours: if there was more than one commit, or the earlier state was not
// known, this compares what was just made with the kernel.
std::string generation_of(const Ruleset& made, const ElementsBySet& sets, Loaded now,
                          const std::string& expected) {
  now.generation.clear();
  std::string generation = nft::ruleset_generation();
  if (!expected.empty() && generation == expected) return generation;
  return change_for(made, sets, now, now).empty() ? generation : "";
}

}  // namespace

namespace {

// A node speaks for itself and for its pods.
void add_sender(const Node& peer, const IpAddress& outer, std::vector<IpPrefix>& senders,
                std::vector<Ruleset::Inner>& inner) {
  senders.push_back(IpPrefix::host(outer));
  for (const auto& own : {peer.ipv4, peer.ipv6, tunnel_address(peer), tunnel_address_v6(peer)})
    if (own) inner.push_back({outer, IpPrefix::host(*own)});
  for (const IpPrefix& cidr : peer.pod_cidrs) inner.push_back({outer, cidr});
}

}  // namespace

Ruleset wanted_ruleset(const Cluster& cluster, const Desired& desired) {
  Ruleset ruleset;
  ruleset.pod_interfaces = cluster.pod_interface_prefix;
  if (cluster.masquerade) ruleset.masqueraded = cluster.self.pod_cidrs;
  if (!ruleset.masqueraded.empty()) {
    ruleset.inside = cluster.masquerade_exclude;
    const auto add = [&](const Node& node) {
      ruleset.inside.insert(ruleset.inside.end(), node.pod_cidrs.begin(), node.pod_cidrs.end());
    };
    add(cluster.self);
    std::for_each(cluster.peers.begin(), cluster.peers.end(), add);
  }
  if (cluster.masquerade && desired.tunnel)
    ruleset.exits.push_back({desired.tunnel->device, desired.tunnel->address});
  if (cluster.masquerade && desired.vxlan)
    for (const IpAddress& address : desired.vxlan->addresses) ruleset.exits.push_back({vxlan_name, address});
  if (desired.vxlan)
    ruleset.vxlan = {cluster.vxlan_port, cluster.vxlan_vni, desired.vxlan->settings.local->family()};
  ruleset.filter_pods = ruleset.filter_tunnel = cluster.filter;
  if (!ruleset.filter_tunnel) return ruleset;
  ruleset.tunnel_sources = ruleset.tunnel_trusted = cluster.ipip_sources;
  for (const Node& peer : cluster.peers)
    if (may_tunnel(cluster, peer, Encapsulation::ipip))
      add_sender(peer, *peer.ipv4, ruleset.tunnel_sources, ruleset.tunnel_inner);
    else if (may_tunnel(cluster, peer, Encapsulation::vxlan))
      add_sender(peer, *outer_address(cluster, peer), ruleset.vxlan_sources, ruleset.vxlan_inner);
  return ruleset;
}

Ruleset with_peers_of(const std::vector<netlink::Route>& routes, const Host& host, Ruleset ruleset) {
  if (routes.empty()) return ruleset;  // as in nearly every pass: the entries of 100,000 peers need no look
  const auto& [fdb, neighbours] = host.vxlan_entries;
  std::map<IpAddress, MacAddress> macs;
  for (const netlink::Neighbour& end : neighbours) macs.emplace(end.address, end.mac);
  std::map<MacAddress, IpAddress> remotes;
  for (const netlink::FdbEntry& entry : fdb)
    if (entry.remote) remotes.emplace(entry.mac, *entry.remote);
  for (const netlink::Route& route : routes) {
    if (!route.gateway) continue;
    if (!ruleset.masqueraded.empty()) ruleset.inside.push_back(route.dst);
    if (!ruleset.filter_tunnel) continue;
    if (host.is_tunnel(route.link)) {
      ruleset.tunnel_sources.push_back(IpPrefix::host(*route.gateway));
      ruleset.tunnel_inner.push_back({*route.gateway, route.dst});
    } else if (host.vxlan && host.vxlan->index == route.link && host.vxlan->vxlan &&
               host.vxlan->vxlan->local) {
      const auto mac = macs.find(*route.gateway);
      const auto remote = mac == macs.end() ? remotes.end() : remotes.find(mac->second);
      if (remote == remotes.end()) continue;
      const netlink::VxlanSettings& vxlan = *host.vxlan->vxlan;
      if (!ruleset.vxlan) ruleset.vxlan = {vxlan.port, vxlan.vni, vxlan.local->family()};
      if (ruleset.vxlan->outer != remote->second.family()) continue;
      ruleset.vxlan_sources.push_back(IpPrefix::host(remote->second));
      ruleset.vxlan_inner.push_back({remote->second, route.dst});
    }
  }
  return ruleset;
}

bool Firewall::untouched(const Loaded& loaded) {
  return !loaded.generation.empty() && loaded.generation == nft::ruleset_generation();
}

std::string Firewall::difference(const Ruleset& wanted, const Loaded& loaded) {
  const ElementsBySet sets = nft::elements_of(wanted);
  TableChange change = change_for(wanted, sets, fingerprints_of(wanted, sets), loaded);
  keep_counts(wanted, change);
  return nft::print(wanted, change);
}

Firewall::Result Firewall::load(const Ruleset& wanted, const Loaded& loaded,
                                std::vector<std::string>& problems) {
  const Ruleset possible = supported(wanted);
  ElementsBySet sets = nft::elements_of(possible);
  Loaded now = fingerprints_of(possible, sets);
  now.listing = loaded.listing;
  now.generation = nft::ruleset_generation();  // read first, so that later changes are noticed
  const bool is_known = !now.generation.empty() && now.generation == loaded.generation;
  const bool is_remembered = is_known && known_by_ == loaded.elements && now.structure == loaded.structure;
  TableChange change = change_for(possible, sets, now, loaded, is_remembered ? &elements_ : nullptr);
  if (!change.empty()) {
    keep_counts(possible, change);
    auto refused = nft::carry_out(possible, change);
    if (refused && change.whole == TableChange::Whole::keep) {
      keep_counts(possible, change = {TableChange::Whole::replace});
      refused = nft::carry_out(possible, change);
    }
    if (refused && refused_.why.empty() && !find_refused(wanted).empty())
      return load(wanted, loaded, problems);
    if (refused) problems.push_back(std::string("nftables: ") + refused->what());
    if (refused) return {};
    const bool is_whole = change.whole != TableChange::Whole::keep;
    if (is_whole) now.listing = listing_of(possible);
    now.generation = generation_of(possible, sets, now,
                                   is_known && !is_whole ? nft::next_generation(loaded.generation) : "");
  }
  if (known_by_ != now.elements) elements_ = std::move(sets);
  known_by_ = now.elements;
  problems.insert(problems.end(), refused_.why.begin(), refused_.why.end());
  const std::string commands = nft::print(possible, change);
  if (possible.empty()) return {{}, commands};
  return {std::move(now), commands};
}

Ruleset Firewall::supported(Ruleset ruleset) const {
  if (refused_.nat) {
    ruleset.masqueraded.clear();
    ruleset.exits.clear();
  }
  ruleset.filter_tunnel = ruleset.filter_tunnel && !refused_.tunnel;
  ruleset.filter_pods = ruleset.filter_pods && !refused_.pods;
  return ruleset;
}

const std::vector<std::string>& Firewall::find_refused(const Ruleset& wanted) {
  const auto refused = [&](const Ruleset& part, const char* consequence) {
    if (part.empty()) return false;
    const auto refusal = nft::try_out(part, {TableChange::Whole::replace});
    if (refusal)
      refused_.why.push_back(
          fmt::format("{}: the kernel refuses the rules: {}", consequence, refusal->what()));
    return refusal.has_value();
  };
  Ruleset nat = wanted;
  nat.filter_pods = nat.filter_tunnel = false;
  refused_.nat = refused(nat, "no masquerade");
  Ruleset tunnel;
  tunnel.table = wanted.table;
  tunnel.filter_tunnel = wanted.filter_tunnel;
  tunnel.vxlan = wanted.vxlan;
  refused_.tunnel = refused(tunnel, "IPIP is accepted from anyone");
  Ruleset pods;
  pods.table = wanted.table;
  pods.filter_pods = wanted.filter_pods;
  refused_.pods = refused(pods, "pods may forge IPv6 sources and send IPIP");
  return refused_.why;
}

bool Firewall::remove(const std::string& table) {
  if (!nft::has_nft_table(table)) return false;
  Ruleset gone;
  gone.table = table;
  if (auto refused = nft::carry_out(gone, {TableChange::Whole::remove})) throw std::move(*refused);
  return true;
}

std::vector<std::string> Firewall::obstacles(const Cluster& cluster, const Desired& desired,
                                             const Host& host) try {
  auto obstacles = forward_obstacles(cluster, desired, host);
  const bool tunnels = std::any_of(desired.paths.begin(), desired.paths.end(),
                                   [](const PeerPath& path) { return path.kind == PathKind::tunnel; });
  if (tunnels && cluster.self.ipv4)
    add_tunnel_obstacles(ipip_packets(*cluster.self.ipv4, desired, host), host, obstacles);
  if (desired.vxlan) add_tunnel_obstacles(vxlan_packets(desired), host, obstacles);
  return obstacles;
} catch (const Failure& failure) {
  if (failure.error() == EPERM || failure.error() == EACCES) return {};  // a plan says so (Pass::unseen)
  return {failure.what()};
}

nft::Counts Firewall::counts(const std::string& table) { return nft::list_counts(table, nft::forged_by); }

}  // namespace onlink::node
