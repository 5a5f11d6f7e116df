// SPDX-License-Identifier: Apache-2.0
// The cluster as one node sees it: itself, the other nodes with their pod subnets, and the rules for all.
//
// The file is the same on every node; a node finds itself in it by name. It is checked as a whole before
// anything is touched: every problem is named with its path. The rules always come from the file, the nodes
// from the source that it names (the file itself by default). Whatever source a list comes from, it becomes a
// Cluster through the same checks (cluster_check.h); see merge.h for one in which a single node is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "node/cluster/problem.h"

namespace onlink::node {

// Calico's words. always: through the tunnel; never: directly; cross_subnet: directly where the kernel says
// that the other node is on-link, else through the tunnel.
enum class IpipMode : std::uint8_t { never, cross_subnet, always };  // by how much they tunnel
const char* to_string(IpipMode mode);
// What is around a packet in a tunnel: IPIP (protocol 4) carries IPv4 over IPv4, VXLAN (UDP) carries both over either.
enum class Encapsulation : std::uint8_t { ipip, vxlan };
// "ipipMode", "vxlanMode": the key that has the mode of nodes that use it.
const char* mode_key(Encapsulation encapsulation);

struct Node {
  std::string name;
  std::optional<IpAddress> ipv4;  // nodeIP: where the other nodes reach it; at least one of the two
  std::optional<IpAddress> ipv6;  // nodeIPv6
  std::vector<IpPrefix> pod_cidrs;
  std::optional<IpipMode> mode;                       // its own ipipMode or vxlanMode
  std::optional<IpAddress> tunnel_address;            // as given; see tunnel_address()
  Encapsulation encapsulation = Encapsulation::ipip;  // that `mode` is of

  bool operator==(const Node&) const = default;
};

// A node of a list, with the place that its problems are named by: "nodes[3]", "Node worker-1".
struct PlacedNode {
  std::string path;
  Node node;
  // What its source could not make sense of, or (an address) does not have: what an earlier list knew of it
  // stays. Never so for a node of a file.
  struct Unknown {
    bool addresses = false;
    bool pod_cidrs = false;
    bool mode = false;
    bool tunnel_address = false;

    bool operator==(const Unknown&) const = default;
  } unknown = {};
  // When it came into being, as a text that sorts by time; empty where the source does not know.
  std::string created = {};

  bool operator==(const PlacedNode&) const = default;
};

// What holds for all nodes. It always comes from the file.
struct Rules {
  IpipMode mode = IpipMode::cross_subnet;
  Encapsulation encapsulation = Encapsulation::ipip;
  std::uint16_t vxlan_port = 4789;
  std::uint32_t vxlan_vni = 4096;
  bool ipv6_direct = false;  // "ipipModeIPv6": "Never"
  bool masquerade = true;
  std::vector<IpPrefix> masquerade_exclude;  // destinations that see the pods' own addresses
  bool filter = true;
  std::vector<IpPrefix> ipip_sources;        // others than the nodes that may send IPIP to this node
  std::string pod_interface_prefix = "onl";  // of the host ends of pods
  std::uint32_t resync_seconds = 60;
  std::uint32_t max_withdraw_percent = 50;  // of the peers, by one list; see withdraw_guard.h

  bool operator==(const Rules&) const = default;
};

// Whether pod subnets of both families go everywhere, whatever addresses the nodes have: through VXLAN.
bool tunnels_any_family(const Rules& rules);

struct Cluster : Rules {
  Node self;
  std::vector<Node> peers;

  bool operator==(const Cluster&) const = default;
};

// What a pass works with.
struct Nodes {
  Cluster cluster;
  // Whether the list is complete and current: only then are routes to nodes that it does not name withdrawn.
  bool complete = true;
  ProblemList problems = {};
  std::vector<std::string> kept = {};  // peers that are here as an earlier list had them, by name
};

// The mode between two nodes is the same seen from either end: a mode that one of them names counts, of two
// different ones that which tunnels more; else the cluster's.
// Never of an encapsulation that the cluster does not use names nothing.
IpipMode mode_between(const Cluster& cluster, const Node& peer);
// Where a node names a mode that tunnels, its encapsulation; where both do, VXLAN if one of them does: so nodes can
// go from one to the other each by itself. Else the cluster's.
Encapsulation encapsulation_between(const Cluster& cluster, const Node& peer);
// Whether packets of pods may go to this peer in that encapsulation. IPIP needs IPv4 addresses of both nodes; IPv6 pod
// subnets do not go through it. VXLAN needs addresses of the peer of the family of outer_address().
bool may_tunnel(const Cluster& cluster, const Node& peer, Encapsulation encapsulation);
// The address of a node that VXLAN packets of this node's family are sent to: its IPv4 address where this node has
// one, else its IPv6 address.
std::optional<IpAddress> outer_address(const Cluster& cluster, const Node& node);
// The MAC of a node's VXLAN end: it follows from its outer address, so that nobody has to be asked for it. Locally
// administered; of an IPv6 address as a hash.
MacAddress vxlan_mac(const IpAddress& outer);

// The address of a node's tunnel end: what the file says, else the first IPv4 pod subnet + 1. Nothing where
// the node has no IPv4 pod subnet or that is a single address.
std::optional<IpAddress> tunnel_address(const Node& node);
// The first IPv6 pod subnet + 1, for VXLAN, which carries IPv6.
std::optional<IpAddress> tunnel_address_v6(const Node& node);

// Why pods cannot have these addresses anywhere: "overlaps 127.0.0.0/8, which is loopback"; empty: they can.
std::string no_pod_subnet(const IpPrefix& prefix);

// The subnets under a key, each without host bits; what is wrong becomes a problem of the reader's.
std::vector<IpPrefix> read_prefixes(const JsonReader& reader, std::string_view key);

// The cluster of a file that lists its nodes itself. Throws Failure (not_json, or configuration with every
// problem and its path). name: of the file, for the words. node_name: which of the nodes we are.
Cluster parse_cluster(std::string_view text, std::string_view name, const std::string& node_name);
// The same document again: parse_cluster(print_cluster(c), ..., c.self.name) == c.
std::string print_cluster(const Cluster& cluster);

// "Always", "CrossSubnet", "Never"; nothing for another word.
std::optional<IpipMode> parse_mode(std::string_view text);

}  // namespace onlink::node
