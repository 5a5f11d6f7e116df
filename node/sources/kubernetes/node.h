// SPDX-License-Identifier: Apache-2.0
// The parts of a Kubernetes Node that matter, from the API's JSON. Pure. The parser drops everything else (images,
// capacity, the kubelet's heartbeats).
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/cluster/cluster.h"

namespace onlink::node {

struct KubernetesNode {
  // What is not understood is unknown in it, and has a problem in words.
  PlacedNode placed;
  std::vector<std::string> problems;
  // The condition NetworkUnavailable of this node: "False OnlinkIsUp"; empty: there is none. That of others is dropped:
  // in a new cluster each node sets its own, and that must be no news to all.
  std::string network;

  const std::string& name() const { return placed.node.name; }
  bool operator==(const KubernetesNode&) const = default;
};

struct ByName {
  using is_transparent = void;
  static std::string_view name_of(const KubernetesNode& node) { return node.name(); }
  static std::string_view name_of(std::string_view name) { return name; }
  bool operator()(const auto& one, const auto& other) const { return name_of(one) < name_of(other); }
};
using KubernetesNodes = std::set<KubernetesNode, ByName>;

// self: the name of this node. A Node alone. Throws Failure (not_json).
KubernetesNode parse_node_object(std::string_view body, std::string_view self);

struct NodePage {
  std::vector<KubernetesNode> nodes;
  std::string version;    // of the list
  std::string continued;  // the token for the next page; empty: this is the last
};
// Throws Failure (not_json) for anything but a NodeList.
NodePage parse_node_page(std::string_view body, std::string_view self);

struct NodeEvent {
  enum class Kind { changed, deleted, bookmark, error } kind = Kind::error;
  KubernetesNode node;  // of the first two
  std::string version;  // of the first three
  int code = 0;         // of an error: the status code
  std::string message;  // of an error
};
// A line of a watch. Throws Failure (not_json) for anything else.
NodeEvent parse_node_event(std::string_view line, std::string_view self);

// "nodes is forbidden: User ..." from the body of a refusal; its first 200 bytes if it is no Status.
std::string refusal_message(std::string_view body);

}  // namespace onlink::node
