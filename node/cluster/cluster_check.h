// SPDX-License-Identifier: Apache-2.0
// What must hold between the nodes of a list: nothing announced twice, nothing that would loop.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "node/cluster/cluster.h"

namespace onlink::node {

// Nodes are checked one after the other, each by itself and beside those that were taken before: of two that
// contradict each other the later one is to blame. This node is checked first. The nodes must outlive it.
class NodeChecks {
 public:
  // rules: of the cluster. Where they say VXLAN, a pod subnet needs no node address of its own family.
  NodeChecks(std::string self_name, const Rules& rules)
      : self_name_(std::move(self_name)), any_family_(tunnels_any_family(rules)) {}

  // An address that is in no pod subnet, and whose it is: where the list comes from.
  void need(const IpAddress& address, std::string whose) { needed_.emplace(address, std::move(whose)); }

  // Duplicate names and addresses, pod subnets that are special addresses (no_pod_subnet), overlapping pod subnets (with the words for a peer that announces one of
  // ours), node addresses inside pod subnets, pod subnets of a family in which the node has no address,
  // tunnel addresses outside the node's own subnets.
  void check(const PlacedNode& node, Problems& problems) const;
  // What of it is taken already stays with the first.
  void take(const PlacedNode& node);

 private:
  struct TakenCidr {
    IpPrefix cidr;
    const PlacedNode* owner;
  };
  void check_cidr(const PlacedNode& node, std::size_t index, Problems& problems) const;
  void check_address(const PlacedNode& node, const char* key, const IpAddress& address,
                     Problems& problems) const;
  const TakenCidr* find_overlap(const IpPrefix& cidr) const;

  std::string self_name_;
  bool any_family_;
  std::optional<std::pair<IpAddress, std::string>> needed_;
  std::map<std::string, const PlacedNode*> names_;
  std::map<IpAddress, const PlacedNode*> addresses_;
  std::map<IpAddress, TakenCidr> cidrs_;  // by first address; they do not overlap
};

// IPIP asked for where it cannot be: IPv6 pod subnets of a peer.
void check_mode(const Cluster& cluster, const PlacedNode& peer, Problems& problems);
// This node needs an address for its end of the tunnel.
void check_tunnel_address(const Cluster& cluster, Problems& problems);

}  // namespace onlink::node
