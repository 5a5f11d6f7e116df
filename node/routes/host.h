// SPDX-License-Identifier: Apache-2.0
// What is: everything about this host that decides what should be, or that may differ from it. Plain data,
// read from the kernel in one go (read_host) and never changed afterwards; tests write it by hand.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netlink/address.h"
#include "netlink/fdb.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "node/cluster/cluster.h"

namespace onlink::node {

inline constexpr const char* tunnel_name = "tunl0";
// In tunl0's place where the kernel would give IPIP packets another source than this node's address: tunl0 takes no
// `local` (net/ipv4/ip_tunnel.c, ip_tunnel_changelink), a device of our own does.
inline constexpr const char* own_tunnel_name = "ipip.onlink";
inline constexpr const char* vxlan_name = "vxlan.onlink";
// Stand for the indexes of devices that are not there yet.
inline constexpr std::uint32_t tunnel_to_come = UINT32_MAX;
inline constexpr std::uint32_t vxlan_to_come = UINT32_MAX - 1;

// Whose packets a node's VXLAN end takes, and how they find it: one entry of each kind for a peer.
struct VxlanEntries {
  std::vector<netlink::FdbEntry> fdb;          // sorted
  std::vector<netlink::Neighbour> neighbours;  // by address; of both families

  bool operator==(const VxlanEntries&) const = default;
};

// The attachments' routes have our protocol too: "10.10.0.2/32 dev onl... scope link". Whatever else has it
// is the node's: ours to change and to withdraw, whatever its shape.
bool has_the_shape_of_an_attachment(const netlink::Route& route);
bool is_attachment_route(const netlink::Route& route);
bool is_node_route(const netlink::Route& route);

struct Host {
  // How the kernel would reach each node address, our own and that of our tunnel included; nothing where it
  // would not.
  std::map<IpAddress, std::optional<netlink::Route>> paths;
  // The source that it would choose for a node address; only where it was asked (peers' IPv4 addresses).
  std::map<IpAddress, IpAddress> sources;
  std::map<std::uint32_t, netlink::Link> links;  // those that the paths and routes go through, by index
  bool needs_own_tunnel = false;
  std::optional<netlink::Link> tunl0;  // so named, whatever its kind; else the IPIP device without ends
  std::vector<netlink::Address> tunl0_addresses;
  std::optional<netlink::Link> own_tunnel;  // named ipip.onlink, whatever its kind
  std::optional<netlink::Link> tunnel;      // that of the two that is used
  std::vector<netlink::Address> tunnel_addresses;
  std::optional<netlink::Link> vxlan;  // named vxlan.onlink, whatever its kind
  std::vector<netlink::Address> vxlan_addresses;
  VxlanEntries vxlan_entries;  // those that do not age
  bool vxlan_missing = false;  // the kernel refused to make such a device
  bool ipip_missing = false;   // the kernel refused to make a tunnel: it has no ipip
  std::vector<netlink::Route>
      routes;  // the node's, of table main: by key, those of one key as the kernel has them
  std::vector<netlink::Route> attachments;  // those of the attachments
  std::optional<netlink::Link> own_link;    // the interface that has our address, where no path leads to it
  std::vector<netlink::Address>
      underlay_addresses;  // of the interfaces that lead to nodes, with their networks
  std::set<std::pair<std::uint32_t, IpAddress>> dead_neighbours;  // (link, address) that do not answer
  std::set<std::uint32_t> not_forwarding;                         // links on which IPv4 forwarding is off
  std::set<std::uint32_t> strict;  // links that drop IPv4 packets whose way back is another (rp_filter)
  std::set<std::pair<std::uint32_t, IpAddress>> near;  // (such a link, address) that are known there
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  // Where it is off and the node has IPv6 pods: see netlink/forwarding.h.
  std::vector<std::string> need_accept_ra;

  std::string link_name(std::uint32_t index) const;  // "if12" where it is not known
  std::string tunnel_device() const;
  bool is_tunnel(std::uint32_t index) const;  // either of the two
  const netlink::Link* link(std::uint32_t index) const;
  const netlink::Route* path_to(const IpAddress& address) const;
};

// A network that the node is connected to, on a device where it can ask for link-layer addresses. A default route
// without a gateway, a point-to-point link or a VPN leads to many, but not to each by itself.
bool on_link(const Host& host, const netlink::Route& path);

// In the caller's network namespace, which must be the socket's. Throws Failure.
Host read_host(netlink::Socket& socket, const Cluster& cluster);

// What the kernel makes of a link's rp_filter and that of all. In the caller's network namespace.
bool is_strict(const netlink::Link& link);
std::string rp_filter_setting(const std::string& link);

// Only the tunnel of a host that was read before it was made. local: this node's address.
void read_tunnel(netlink::Socket& socket, const std::optional<IpAddress>& local, Host& host);
void read_vxlan(netlink::Socket& socket, Host& host);

// The first route that has the key of each of these, where there is one: ordered as asked. Compared by the
// whole key, as routes that are looked up by address hide each other: dumps.
std::vector<std::optional<netlink::Route>> find_holders(netlink::Socket& socket,
                                                        const std::vector<netlink::Route>& wanted);

}  // namespace onlink::node
