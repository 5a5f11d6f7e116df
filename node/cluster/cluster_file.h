// SPDX-License-Identifier: Apache-2.0
// The cluster file: the rules for all nodes, and either the nodes themselves or the source that knows them.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "node/cluster/cluster.h"

namespace onlink::node {

// "source": its type, and the keys of that type, which the source itself reads.
struct SourceConfig {
  std::string type = "file";
  nlohmann::json settings = nlohmann::json::object();  // the whole object

  bool operator==(const SourceConfig&) const = default;
};

// Bytes. 100,000 nodes need a fifth of it.
inline constexpr std::size_t largest_cluster_file = 64u << 20;

struct ClusterFile {
  Rules rules;
  SourceConfig source;
  // With the source "file", the checked list, until the source is opened and takes it. With another source, nodes that
  // the file lists all the same, for the source to use.
  std::vector<PlacedNode> nodes;
  std::vector<IpPrefix> bgp_prefixes;  // bgp.prefixes: what is believed of a routing daemon; none: everything
};

// Throws Failure (not_json, or configuration with every problem and its path). name: of the file, for messages.
// node_name: which of the nodes we are.
ClusterFile parse_cluster_file(std::string_view text, std::string_view name, const std::string& node_name);
// The same for the file at a path. A file that changes while it is read is read again; Failure (try_again) if it
// changes every time.
ClusterFile read_cluster_file(const std::string& path, const std::string& node_name);

// Rules and nodes together. The nodes must have been checked, with node_name among them.
Cluster assemble(const Rules& rules, const std::vector<PlacedNode>& nodes, const std::string& node_name);

}  // namespace onlink::node
