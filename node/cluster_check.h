// SPDX-License-Identifier: Apache-2.0
// What must hold between the nodes of a list: nothing announced twice, nothing that would loop.
#pragma once

#include <string>
#include <vector>

#include "base/json_reader.h"
#include "node/cluster.h"

namespace onlink::node {

struct PlacedNode {
  std::string path;  // "nodes[3]"
  Node node;
};

// Duplicate names and addresses, overlapping pod subnets (with the words for a peer that announces one of
// ours), node addresses inside pod subnets, pod subnets of a family in which the node has no address, tunnel
// addresses outside the node's own subnets. self: which of them we are, or null.
void check_nodes(const std::vector<PlacedNode>& nodes, const PlacedNode* self, Problems& problems);
// IPIP asked for where it cannot be: IPv6 pod subnets, or no address for this node's end of the tunnel.
void check_modes(const Cluster& cluster, const std::vector<PlacedNode>& nodes, Problems& problems);

}  // namespace onlink::node
