// SPDX-License-Identifier: Apache-2.0
// The cluster as one node sees it: itself, the other nodes with their pod subnets, and the rules for all.
//
// The file is the same on every node; a node finds itself in it by name. It is checked as a whole before
// anything is touched, and every problem is named with its path. The rules always come from the file, the nodes
// from the source that it names (by default the file itself). A list from any source becomes a Cluster through
// the same checks (cluster_check.h); merge.h handles a list in which single nodes are wrong.
#pragma once

#include <cstddef>
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
enum class IpipMode : std::uint8_t { never, cross_subnet, always };  // ordered by how much they tunnel
const char* to_string(IpipMode mode);
// IPIP (protocol 4) carries IPv4 over IPv4; VXLAN (UDP) carries both families over either.
enum class Encapsulation : std::uint8_t { ipip, vxlan };
// The key of its mode: "ipipMode", "vxlanMode".
const char* mode_key(Encapsulation encapsulation);

// In one list.
inline constexpr std::size_t most_nodes = 100'000;
// Of one node: a router may announce as many as all nodes of a large cluster have.
inline constexpr std::size_t most_pod_cidrs = most_nodes;

struct Node {
  std::string name;
  std::optional<IpAddress> ipv4;  // nodeIP: where the other nodes reach it; at least one of the two
  std::optional<IpAddress> ipv6;  // nodeIPv6
  std::vector<IpPrefix> pod_cidrs;
  std::optional<IpipMode> mode;                       // its own ipipMode or vxlanMode
  std::optional<IpAddress> tunnel_address;            // as given; see tunnel_address()
  Encapsulation encapsulation = Encapsulation::ipip;  // of `mode`

  bool operator==(const Node&) const = default;
};

// A node of a list, with its place for messages: "nodes[3]", "Node worker-1".
struct PlacedNode {
  std::string path;
  Node node;
  // What its source did not understand, or (an address) does not have: the value of an earlier list stays.
  // Never set for a node of a file.
  struct Unknown {
    bool addresses = false;
    bool pod_cidrs = false;
    bool mode = false;
    bool tunnel_address = false;

    bool operator==(const Unknown&) const = default;
  } unknown = {};
  // When it was created, as a number that sorts by time; 0: the source does not know.
  std::uint64_t created = 0;

  bool operator==(const PlacedNode&) const = default;
};

// The same for all nodes; always from the file.
struct Rules {
  IpipMode mode = IpipMode::cross_subnet;
  Encapsulation encapsulation = Encapsulation::ipip;
  std::uint16_t vxlan_port = 4789;
  std::uint32_t vxlan_vni = 4096;
  bool ipv6_direct = false;  // "ipipModeIPv6": "Never"
  bool masquerade = true;
  std::vector<IpPrefix> masquerade_exclude;  // destinations that see the pods' own addresses
  bool filter = true;
  std::vector<IpPrefix> ipip_sources;        // may send IPIP to this node, besides the nodes
  std::string pod_interface_prefix = "onl";  // of the host ends of pods
  std::uint32_t resync_seconds = 60;
  std::uint32_t max_withdraw_percent = 50;  // of the peers, by one list; see withdraw_guard.h

  bool operator==(const Rules&) const = default;
};

// Whether pod subnets of both families are reached, whatever addresses the nodes have: through VXLAN.
bool tunnels_any_family(const Rules& rules);

struct Cluster : Rules {
  Node self;
  std::vector<Node> peers;

  bool operator==(const Cluster&) const = default;
};

// The input of a pass.
struct Nodes {
  Cluster cluster;
  // Whether the list is complete and current: only then are routes to nodes that it does not name withdrawn.
  bool complete = true;
  ProblemList problems = {};
  std::vector<std::string> kept = {};  // names of peers that are as an earlier list had them
};

// The mode between two nodes is the same from either end: if one of them names a mode, that one; if both do, the
// one that tunnels more; else the cluster's. "Never" of an encapsulation that the cluster does not use does not count.
IpipMode mode_between(const Cluster& cluster, const Node& peer);
// If a node names a mode that tunnels, its encapsulation; if both do, VXLAN if either names it, so that nodes can
// change from IPIP to VXLAN one by one. Else the cluster's.
Encapsulation encapsulation_between(const Cluster& cluster, const Node& peer);
// Whether packets of pods may go to this peer in that encapsulation. IPIP needs IPv4 addresses of both nodes, and
// carries no IPv6 pod subnets. VXLAN needs an outer_address() of the peer.
bool may_tunnel(const Cluster& cluster, const Node& peer, Encapsulation encapsulation);
// Whether that is so only because the peer names a mode itself: neither this node nor the cluster asks for it.
bool tunnels_at_its_wish(const Cluster& cluster, const Node& peer);
// Where VXLAN packets to a node are sent: its IPv4 address if this node has an IPv4 address, else its IPv6 address.
std::optional<IpAddress> outer_address(const Cluster& cluster, const Node& node);
// The MAC of a node's VXLAN end. It follows from the outer address, so no node has to be asked for it. Locally
// administered; for an IPv6 address a hash.
MacAddress vxlan_mac(const IpAddress& outer);

// The address of a node's tunnel end: the list's, else the first address of its first IPv4 pod subnet + 1.
// Nothing if it has no IPv4 pod subnet of more than one address.
std::optional<IpAddress> tunnel_address(const Node& node);
// The same for IPv6, which VXLAN carries; always from the pod subnet.
std::optional<IpAddress> tunnel_address_v6(const Node& node);

// Why no pod can have these addresses: "overlaps 127.0.0.0/8, which is loopback"; empty: pods can.
std::string no_pod_subnet(const IpPrefix& prefix);

// The subnets under a key. Those with host bits, or that are none, become problems of the reader.
std::vector<IpPrefix> read_prefixes(const JsonReader& reader, std::string_view key,
                                    std::size_t limit = JsonReader::most_entries);

// The cluster of a file that lists its nodes itself. Throws Failure (not_json, or configuration with every
// problem and its path). name: of the file, for messages. node_name: which of the nodes we are.
Cluster parse_cluster(std::string_view text, std::string_view name, const std::string& node_name);
// The same document again: parse_cluster(print_cluster(c), ..., c.self.name) == c.
std::string print_cluster(const Cluster& cluster);

// "Always", "CrossSubnet", "Never"; nothing for another word.
std::optional<IpipMode> parse_mode(std::string_view text);

}  // namespace onlink::node
