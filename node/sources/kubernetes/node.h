// SPDX-License-Identifier: Apache-2.0
// The parts of a Kubernetes Node that matter, from the API's JSON. Pure. The parser drops everything else (images,
// capacity, the kubelet's heartbeats).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/cluster/cluster.h"

namespace onlink::node {

struct KubernetesNode {
  std::string name;
  std::string created = {};            // metadata.creationTimestamp
  std::vector<std::string> addresses;  // of type InternalIP, in the API's order
  std::vector<std::string> pod_cidrs;
  // Annotations; see README.md.
  std::optional<std::string> mode;            // onlink.io/ipip-mode
  std::optional<std::string> node_ip;         // onlink.io/node-ip
  std::optional<std::string> tunnel_address;  // onlink.io/tunnel-address
  // The condition NetworkUnavailable: "False OnlinkIsUp"; empty: there is none.
  std::string network;
  std::optional<std::string> vxlan_mode = {};  // onlink.io/vxlan-mode

  bool operator==(const KubernetesNode&) const = default;
};

// The same as a node of a list. What is not understood becomes unknown, with a problem.
PlacedNode placed_node(const KubernetesNode& node, std::vector<std::string>& problems);

// A Node alone. Throws Failure (not_json).
KubernetesNode parse_node_object(std::string_view body);

struct NodePage {
  std::vector<KubernetesNode> nodes;
  std::string version;    // of the list
  std::string continued;  // the token for the next page; empty: this is the last
};
// Throws Failure (not_json) for anything but a NodeList.
NodePage parse_node_page(std::string_view body);

struct NodeEvent {
  enum class Kind { changed, deleted, bookmark, error } kind = Kind::error;
  KubernetesNode node;  // of the first two
  std::string version;  // of the first three
  int code = 0;         // of an error: the status code
  std::string message;  // of an error
};
// A line of a watch. Throws Failure (not_json) for anything else.
NodeEvent parse_node_event(std::string_view line);

// "nodes is forbidden: User ..." from the body of a refusal; its first 200 bytes if it is no Status.
std::string refusal_message(std::string_view body);

}  // namespace onlink::node
