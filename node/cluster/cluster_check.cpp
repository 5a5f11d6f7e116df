// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/cluster_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "base/text.h"

namespace onlink::node {
namespace {

// As in Kubernetes.
constexpr std::size_t longest_name = 253;

std::string named(const PlacedNode& node) { return fmt::format("{} (\"{}\")", node.path, node.node.name); }

std::array<std::pair<const char*, const std::optional<IpAddress>*>, 2> addresses_of(const Node& node) {
  return {{{"nodeIP", &node.ipv4}, {"nodeIPv6", &node.ipv6}}};
}

void check_tunnel_end(const PlacedNode& placed, Problems& problems) {
  const Node& node = placed.node;
  if (!node.tunnel_address) return;
  const bool inside = std::any_of(node.pod_cidrs.begin(), node.pod_cidrs.end(),
                                  [&](const IpPrefix& cidr) { return cidr.contains(*node.tunnel_address); });
  if (!inside)
    problems.add(placed.path + ".tunnelAddress",
                 fmt::format("{} is in no pod subnet of the node: the others would not send answers back",
                             node.tunnel_address->to_string()));
}

}  // namespace

// Taken subnets do not overlap each other, so only the one that begins before `cidr`, and the next one, can overlap it.
const NodeChecks::TakenCidr* NodeChecks::find_overlap(const TakenCidrs& taken, const IpPrefix& cidr) {
  auto after = taken.lower_bound(cidr.network().address);
  if (after != taken.end() && cidr.overlaps(after->second.cidr)) return &after->second;
  if (after == taken.begin()) return nullptr;
  --after;
  return cidr.overlaps(after->second.cidr) ? &after->second : nullptr;
}

void NodeChecks::check_cidr(const PlacedNode& placed, std::size_t index, const TakenCidrs& own,
                            Problems& problems) const {
  const Node& node = placed.node;
  const IpPrefix cidr = node.pod_cidrs[index].network();
  const bool v4 = cidr.address.is_v4();
  const auto path = [&] { return fmt::format("{}.podCIDRs[{}]", placed.path, index); };
  if (const std::string why = no_pod_subnet(cidr); !why.empty())
    return problems.add(path(), fmt::format("{} cannot be a pod subnet: it {}", cidr.to_string(), why));
  if (!any_family_ && !(v4 ? node.ipv4 : node.ipv6))
    problems.add(path(), fmt::format("{} needs {}: an {} address of the node", cidr.to_string(),
                                     v4 ? "nodeIP" : "nodeIPv6", v4 ? "IPv4" : "IPv6"));
  if (const TakenCidr* other = find_overlap(cidrs_, cidr))
    problems.add(path(), fmt::format("{} overlaps {} of {}{}", cidr.to_string(), other->cidr.to_string(),
                                     named(*other->owner),
                                     other->owner->node.name == self_name_ ? ", which is this node" : ""));
  if (const TakenCidr* other = find_overlap(own, cidr))
    problems.add(path(),
                 fmt::format("{} overlaps {} of the same node", cidr.to_string(), other->cidr.to_string()));
  const auto inside = addresses_.lower_bound(cidr.address);
  if (inside != addresses_.end() && cidr.contains(inside->first))
    problems.add(path(),
                 fmt::format("{}, the address of {}, lies in the pod subnet {}: routes to it would loop",
                             inside->first.to_string(), named(*inside->second), cidr.to_string()));
  check_known(placed, cidr, path(), problems);
  for (const auto& [prefix, what, of_others_only] : needed_)
    if (cidr.overlaps(prefix) && !(of_others_only && node.name == self_name_))
      problems.add(path(),
                   fmt::format("{} {} {}, {}, which would become unreachable", cidr.to_string(),
                               prefix.is_host() ? "contains" : "overlaps",
                               prefix.is_host() ? prefix.address.to_string() : prefix.to_string(), what));
}

void NodeChecks::know(const std::vector<const PlacedNode*>& nodes) {
  for (const PlacedNode* placed : nodes)
    for (const auto& [key, address] : addresses_of(placed->node))
      if (*address) known_.emplace_back(**address, placed);
  std::sort(known_.begin(), known_.end());
  // Very many nodes may have the same one. A node that has it too, in its own subnet, is wrong anyway.
  const auto end = std::unique(known_.begin(), known_.end(),
                               [](const auto& one, const auto& other) { return one.first == other.first; });
  known_.erase(end, known_.end());
}

void NodeChecks::check_known(const PlacedNode& placed, const IpPrefix& cidr, const std::string& path,
                             Problems& problems) const {
  std::vector<std::string> inside;
  auto each = std::lower_bound(known_.begin(), known_.end(), cidr.address,
                               [](const auto& entry, const IpAddress& first) { return entry.first < first; });
  for (; each != known_.end() && cidr.contains(each->first) && inside.size() < 2; ++each)
    if (each->second->node.name != placed.node.name) inside.push_back(each->first.to_string());
  if (inside.size() == 2)
    problems.add(path,
                 fmt::format("{} contains addresses of other nodes, {} and {}: routes to them would loop",
                             cidr.to_string(), inside[0], inside[1]));
}

void NodeChecks::check_address(const PlacedNode& placed, const char* key, const IpAddress& address,
                               Problems& problems) const {
  const auto path = [&] { return fmt::format("{}.{}", placed.path, key); };
  const auto loops = [&](const IpPrefix& cidr, const PlacedNode& owner) {
    problems.add(path(), fmt::format("{} lies in the pod subnet {} of {}: routes to it would loop",
                                     address.to_string(), cidr.to_string(), named(owner)));
  };
  static const IpPrefix no_hosts[] = {
      IpPrefix::parse("0.0.0.0/8").value(), IpPrefix::parse("127.0.0.0/8").value(),
      IpPrefix::parse("255.255.255.255/32").value(), IpPrefix::parse("::/127").value()};
  if (address.is_multicast() || std::any_of(std::begin(no_hosts), std::end(no_hosts),
                                            [&](const IpPrefix& range) { return range.contains(address); }))
    problems.add(path(), fmt::format("{} is not the address of a host", address.to_string()));
  if (!address.is_v4() && address.is_link_local())
    problems.add(path(),
                 fmt::format("{} is link-local: it does not say on which interface", address.to_string()));
  if (const auto other = addresses_.find(address); other != addresses_.end())
    problems.add(path(),
                 fmt::format("{} is the address of {} too", address.to_string(), named(*other->second)));
  if (const TakenCidr* inside = find_overlap(cidrs_, IpPrefix::host(address)))
    loops(inside->cidr, *inside->owner);
  for (const IpPrefix& cidr : placed.node.pod_cidrs)
    if (cidr.contains(address)) loops(cidr.network(), placed);
}

void NodeChecks::check(const PlacedNode& placed, Problems& problems) const {
  const std::string& name = placed.node.name;
  if (const std::string shown = printable(name); shown != name)
    return problems.add(placed.path + ".name",
                        fmt::format("must be printable, not \"{}\"", shortened(shown, longest_name)));
  if (name.size() > longest_name)
    return problems.add(placed.path + ".name", fmt::format("is longer than {} bytes", longest_name));
  TakenCidrs own;
  for (std::size_t i = 0; i < placed.node.pod_cidrs.size(); ++i) {
    check_cidr(placed, i, own, problems);
    take(own, placed, i);
  }
  check_tunnel_end(placed, problems);
  for (const auto& [key, address] : addresses_of(placed.node))
    if (*address) check_address(placed, key, **address, problems);
  const auto other = names_.find(placed.node.name);
  if (other != names_.end() && !placed.node.name.empty())
    problems.add(placed.path + ".name",
                 fmt::format("\"{}\" is the name of {} too", placed.node.name, other->second->path));
}

void NodeChecks::take(const PlacedNode& placed) {
  names_.emplace(placed.node.name, &placed);
  for (const auto& [key, address] : addresses_of(placed.node))
    if (*address) addresses_.emplace(**address, &placed);
  for (std::size_t i = 0; i < placed.node.pod_cidrs.size(); ++i) take(cidrs_, placed, i);
}

void NodeChecks::take(TakenCidrs& taken, const PlacedNode& owner, std::size_t index) {
  const IpPrefix cidr = owner.node.pod_cidrs[index].network();
  if (find_overlap(taken, cidr) == nullptr) taken.emplace(cidr.address, TakenCidr{cidr, &owner});
}

void check_mode(const Cluster& cluster, const PlacedNode& peer, Problems& problems) {
  if (cluster.ipv6_direct || mode_between(cluster, peer.node) != IpipMode::always ||
      encapsulation_between(cluster, peer.node) != Encapsulation::ipip)
    return;
  for (std::size_t i = 0; i < peer.node.pod_cidrs.size(); ++i)
    if (!peer.node.pod_cidrs[i].address.is_v4())
      problems.add(fmt::format("{}.podCIDRs[{}]", peer.path, i),
                   fmt::format("{} cannot go through IPIP, which carries IPv4 only, and ipipMode is Always: "
                               "\"ipipModeIPv6\": \"Never\" routes IPv6 directly",
                               peer.node.pod_cidrs[i].to_string()));
}

void check_tunnel_address(const Cluster& cluster, Problems& problems) {
  const bool tunnels = std::any_of(cluster.peers.begin(), cluster.peers.end(), [&](const Node& peer) {
    return may_tunnel(cluster, peer, Encapsulation::ipip) && !tunnels_at_its_wish(cluster, peer);
  });
  // While this node has no pod subnet, there is nothing to reach here.
  if (tunnels && !cluster.self.pod_cidrs.empty() && !tunnel_address(cluster.self))
    problems.add("nodes",
                 fmt::format("this node, \"{}\", needs a tunnelAddress: it has no IPv4 pod subnet from "
                             "which one could be taken",
                             cluster.self.name));
}

}  // namespace onlink::node
