// SPDX-License-Identifier: Apache-2.0
// What should be: a pure function of the cluster and of how this host's kernel reaches the other nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/route.h"
#include "node/cluster/cluster.h"
#include "node/routes/host.h"

namespace onlink::node {

enum class PathKind : std::uint8_t { direct, tunnel, vxlan, none };  // tunnel: through IPIP
const char* to_string(PathKind kind);
// The bytes that it adds to a packet to a node with this address.
std::uint32_t headers_around(PathKind kind, const IpAddress& node);

// How one pod subnet of a peer is reached, and why so: for people.
struct PeerPath {
  std::string peer;
  IpPrefix cidr;
  IpipMode mode = IpipMode::never;
  Encapsulation encapsulation = Encapsulation::ipip;  // of `mode`
  PathKind kind = PathKind::none;                     // none: `why` says what is wrong
  std::string why = {};
  // Why packets do not arrive although the route is right, and whether that is the peer's fault, about which this node
  // knows nothing more.
  std::string obstacle = {};
  bool is_elsewhere = false;
  std::string problem = {};  // Problem::kind; empty: nothing is wrong
};

struct WantedTunnel {
  IpAddress address;      // a /32 on the device
  std::uint32_t mtu = 0;  // 0: not known, left as it is
  std::string device = {};
  std::optional<IpAddress> local = {};  // of ipip.onlink
};

struct WantedVxlan {
  netlink::VxlanSettings settings;
  MacAddress mac;
  std::uint32_t mtu = 0;             // 0: not known, left as it is
  std::vector<IpAddress> addresses;  // of the node's ends, each as a /32 or /128 on the device

  bool operator==(const WantedVxlan&) const = default;
};

struct Desired {
  std::optional<WantedTunnel> tunnel;  // nothing: no peer needs it, so it is left alone
  std::optional<WantedVxlan> vxlan;    // nothing: the device is ours, and removed
  VxlanEntries vxlan_entries;
  std::vector<netlink::Route>
      routes;  // sorted by key, normalised; their link is tunnel_to_come while tunl0 is absent
  std::vector<PeerPath> paths;      // every pod subnet of every peer
  std::vector<IpAddress> underlay;  // the peers' addresses, sorted: a change of their routes concerns us
  std::uint32_t pod_mtu = 0;        // the largest packet of a pod that passes everywhere; 0: not known
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  ProblemList problems;  // about this node as a whole
};

Desired desired(const Cluster& cluster, const Host& host);

}  // namespace onlink::node
