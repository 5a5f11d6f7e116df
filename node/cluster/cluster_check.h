// SPDX-License-Identifier: Apache-2.0
// What must hold between the nodes of a list: nothing announced twice, nothing that would loop.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "node/cluster/cluster.h"

namespace onlink::node {

// Nodes are checked one after the other, each alone and against those taken before: of two that contradict each
// other the later one is to blame. This node is checked first. The nodes must outlive this object.
class NodeChecks {
 public:
  // rules: of the cluster. With VXLAN a pod subnet needs no node address of its own family.
  NodeChecks(std::string self_name, const Rules& rules)
      : self_name_(std::move(self_name)), any_family_(tunnels_any_family(rules)) {}

  // No pod subnet, or none of another node, may have these addresses in it. what: for messages.
  void need(const IpPrefix& prefix, std::string what, bool of_others_only = false) {
    needed_.push_back({prefix, std::move(what), of_others_only});
  }
  // The addresses of these nodes. Of a subnet and an address in it the later one is to blame; but with two
  // addresses in it, the subnet.
  void know(const std::vector<const PlacedNode*>& nodes);

  // Finds duplicate names and addresses, names that are none, pod subnets of special addresses (no_pod_subnet),
  // overlapping pod subnets (with its own words where a peer announces one of ours), node addresses inside pod subnets,
  // pod subnets of a family in which the node has no address, tunnel addresses outside of the node's own subnets.
  void check(const PlacedNode& node, Problems& problems) const;
  // Names, addresses and subnets that are taken already stay with the first node.
  void take(const PlacedNode& node);

 private:
  struct TakenCidr {
    IpPrefix cidr;
    const PlacedNode* owner;
  };
  using TakenCidrs = std::map<IpAddress, TakenCidr>;  // by first address; they do not overlap
  // own: those of the node before this one.
  void check_cidr(const PlacedNode& node, std::size_t index, const TakenCidrs& own, Problems& problems) const;
  static void take(TakenCidrs& taken, const PlacedNode& owner, std::size_t index);
  void check_known(const PlacedNode& node, const IpPrefix& cidr, const std::string& path,
                   Problems& problems) const;
  void check_address(const PlacedNode& node, const char* key, const IpAddress& address,
                     Problems& problems) const;
  static const TakenCidr* find_overlap(const TakenCidrs& taken, const IpPrefix& cidr);

  std::string self_name_;
  bool any_family_;
  struct Needed {
    IpPrefix prefix;
    std::string what;
    bool of_others_only;
  };
  std::vector<Needed> needed_;
  std::vector<std::pair<IpAddress, const PlacedNode*>> known_;  // sorted
  std::unordered_map<std::string_view, const PlacedNode*> names_;
  std::map<IpAddress, const PlacedNode*> addresses_;
  TakenCidrs cidrs_;
};

// Finds IPv6 pod subnets of a peer for which IPIP is asked.
void check_mode(const Cluster& cluster, const PlacedNode& peer, Problems& problems);
// Whether this node lacks an address for its end of an IPIP tunnel.
void check_tunnel_address(const Cluster& cluster, Problems& problems);

}  // namespace onlink::node
