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

// Bytes. 100,000 nodes take a fifth of it.
inline constexpr std::size_t largest_cluster_file = 64u << 20;

struct ClusterFile {
  Rules rules;
  SourceConfig source;
  // With the source "file" the list, which is in order, until its source is opened and has it; else what the file lists
  // besides: the source's to use.
  std::vector<PlacedNode> nodes;
};

// Throws Failure (not_json, or configuration with every problem and its path). name: of the file, for the
// words. node_name: which of the nodes we are.
ClusterFile parse_cluster_file(std::string_view text, std::string_view name, const std::string& node_name);
// The same for the file at a path. What is written in place meanwhile is read again; Failure (try_again)
// where that does not end.
ClusterFile read_cluster_file(const std::string& path, const std::string& node_name);

// Rules and nodes together. The nodes have been checked, and node_name is among them.
Cluster assemble(const Rules& rules, const std::vector<PlacedNode>& nodes, const std::string& node_name);

}  // namespace onlink::node
