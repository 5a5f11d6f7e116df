// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace onlink::node {
namespace {

struct PlacedCidr {
  IpPrefix cidr;
  std::size_t place;
  const PlacedNode* owner;

  std::string path() const { return fmt::format("{}.podCIDRs[{}]", owner->path, place); }
};

std::string named(const PlacedNode& node) { return fmt::format("{} (\"{}\")", node.path, node.node.name); }

std::vector<PlacedCidr> sorted_cidrs(const std::vector<PlacedNode>& nodes) {
  std::vector<PlacedCidr> cidrs;
  for (const PlacedNode& node : nodes)
    for (std::size_t i = 0; i < node.node.pod_cidrs.size(); ++i)
      cidrs.push_back({node.node.pod_cidrs[i].network(), i, &node});
  // A prefix comes right before those that it contains.
  std::stable_sort(cidrs.begin(), cidrs.end(),
                   [](const PlacedCidr& a, const PlacedCidr& b) { return a.cidr < b.cidr; });
  return cidrs;
}

void check_overlaps(const std::vector<PlacedCidr>& cidrs, const PlacedNode* self, Problems& problems) {
  const PlacedCidr* widest =
      nullptr;  // prefixes nest or are disjoint, so the last that reaches furthest suffices
  for (const PlacedCidr& cidr : cidrs) {
    if (widest == nullptr || !widest->cidr.overlaps(cidr.cidr)) {
      widest = &cidr;
      continue;
    }
    const bool ours = widest->owner == self || cidr.owner == self;
    const PlacedCidr& theirs = cidr.owner == self ? *widest : cidr;
    const PlacedCidr& other = cidr.owner == self ? cidr : *widest;
    problems.add(theirs.path(), fmt::format("{} overlaps {} of {}{}", theirs.cidr.to_string(),
                                            other.cidr.to_string(), named(*other.owner),
                                            ours && theirs.owner != self ? ", which is this node" : ""));
  }
}

// The pod subnet that an address lies in; nothing where there is none.
const PlacedCidr* find_cidr(const std::vector<PlacedCidr>& cidrs, const IpAddress& address) {
  auto after = std::upper_bound(cidrs.begin(), cidrs.end(), IpPrefix::host(address),
                                [](const IpPrefix& a, const PlacedCidr& b) { return a < b.cidr; });
  if (after == cidrs.begin()) return nullptr;
  --after;
  return after->cidr.contains(address) ? &*after : nullptr;
}

void check_addresses(const std::vector<PlacedNode>& nodes, const std::vector<PlacedCidr>& cidrs,
                     Problems& problems) {
  std::map<IpAddress, const PlacedNode*> seen;
  for (const PlacedNode& placed : nodes) {
    for (const auto& [key, address] :
         {std::pair{"nodeIP", placed.node.ipv4}, {"nodeIPv6", placed.node.ipv6}}) {
      if (!address) continue;
      const auto path = [&, key = key] { return fmt::format("{}.{}", placed.path, key); };
      if (address->is_unspecified() || address->is_multicast())
        problems.add(path(), fmt::format("{} is no address of a host", address->to_string()));
      if (const auto [other, fresh] = seen.emplace(*address, &placed); !fresh)
        problems.add(path(),
                     fmt::format("{} is the address of {} too", address->to_string(), named(*other->second)));
      if (const PlacedCidr* inside = find_cidr(cidrs, *address))
        problems.add(path(),
                     fmt::format("{} lies in the pod subnet {} of {}: routes to it would loop",
                                 address->to_string(), inside->cidr.to_string(), named(*inside->owner)));
    }
  }
}

void check_one(const PlacedNode& placed, Problems& problems) {
  const Node& node = placed.node;
  for (std::size_t i = 0; i < node.pod_cidrs.size(); ++i) {
    const IpPrefix& cidr = node.pod_cidrs[i];
    const bool v4 = cidr.address.is_v4();
    const auto path = [&] { return fmt::format("{}.podCIDRs[{}]", placed.path, i); };
    if (cidr.length == 0) problems.add(path(), "the whole address space cannot be a pod subnet");
    if (!(v4 ? node.ipv4 : node.ipv6))
      problems.add(path(), fmt::format("{} needs {}: an {} address of the node", cidr.to_string(),
                                       v4 ? "nodeIP" : "nodeIPv6", v4 ? "IPv4" : "IPv6"));
  }
  if (!node.tunnel_address) return;
  const bool inside = std::any_of(node.pod_cidrs.begin(), node.pod_cidrs.end(),
                                  [&](const IpPrefix& cidr) { return cidr.contains(*node.tunnel_address); });
  if (!inside)
    problems.add(placed.path + ".tunnelAddress",
                 fmt::format("{} is in no pod subnet of the node: the others would not send answers back",
                             node.tunnel_address->to_string()));
}

}  // namespace

void check_nodes(const std::vector<PlacedNode>& nodes, const PlacedNode* self, Problems& problems) {
  std::map<std::string, const PlacedNode*> names;
  for (const PlacedNode& placed : nodes) {
    check_one(placed, problems);
    const auto [other, fresh] = names.emplace(placed.node.name, &placed);
    if (!fresh && !placed.node.name.empty())
      problems.add(placed.path + ".name",
                   fmt::format("\"{}\" is the name of {} too", placed.node.name, other->second->path));
  }
  const auto cidrs = sorted_cidrs(nodes);
  check_overlaps(cidrs, self, problems);
  check_addresses(nodes, cidrs, problems);
}

void check_modes(const Cluster& cluster, const std::vector<PlacedNode>& nodes, Problems& problems) {
  bool tunnels = false;
  for (const PlacedNode& placed : nodes) {
    if (placed.node.name == cluster.self.name) continue;
    tunnels = tunnels || may_tunnel(cluster, placed.node);
    if (cluster.ipv6_direct || mode_between(cluster, placed.node) != IpipMode::always) continue;
    for (std::size_t i = 0; i < placed.node.pod_cidrs.size(); ++i)
      if (!placed.node.pod_cidrs[i].address.is_v4())
        problems.add(
            fmt::format("{}.podCIDRs[{}]", placed.path, i),
            fmt::format("{} cannot go through IPIP, which carries IPv4 only, and ipipMode is Always: "
                        "\"ipipModeIPv6\": \"Never\" routes IPv6 directly",
                        placed.node.pod_cidrs[i].to_string()));
  }
  if (tunnels && cluster.self.ipv4 && !tunnel_address(cluster.self))
    problems.add("nodes",
                 fmt::format("this node, \"{}\", needs a tunnelAddress: it has no IPv4 pod subnet from "
                             "which one could be taken",
                             cluster.self.name));
}

}  // namespace onlink::node
