// SPDX-License-Identifier: Apache-2.0
// What is: everything about this host that decides what should be, or that may differ from it. Plain data, read from
// the kernel in one go (read_host; read_tunnel and read_vxlan once a device was made); tests write it by hand.
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
// Used in place of tunl0 if the kernel would choose another source for IPIP packets than this node's address. tunl0
// cannot have a `local` address (net/ipv4/ip_tunnel.c, ip_tunnel_changelink).
inline constexpr const char* own_tunnel_name = "ipip.onlink";
inline constexpr const char* vxlan_name = "vxlan.onlink";
// Placeholders for the indexes of devices that do not exist yet.
inline constexpr std::uint32_t tunnel_to_come = UINT32_MAX;
inline constexpr std::uint32_t vxlan_to_come = UINT32_MAX - 1;

// Where a node's VXLAN end sends packets for each peer: forwarding entries and neighbours.
struct VxlanEntries {
  std::vector<netlink::FdbEntry> fdb;          // sorted
  std::vector<netlink::Neighbour> neighbours;  // by address; of both families

  bool operator==(const VxlanEntries&) const = default;
};

// Attachments' routes have our protocol too: "10.10.0.2/32 dev onl... scope link". Every other route with it is the
// node's: ours to change and to withdraw, whatever its shape; so is one of this shape on another interface (read_host).
bool has_the_shape_of_an_attachment(const netlink::Route& route);
bool is_attachment_route(const netlink::Route& route);
bool is_node_route(const netlink::Route& route);

struct OwnAddress {
  netlink::Link link;
  std::uint32_t flags = 0;  // IFA_F_*
};

struct Host {
  // How the kernel would reach each node address, our own and our tunnel ends' too; nothing: it would not.
  std::map<IpAddress, std::optional<netlink::Route>> paths;
  // The same for what this node sends from its own address, as VXLAN and ipip.onlink do, where policy rules make it differ.
  std::map<IpAddress, std::optional<netlink::Route>> outer_paths;
  // The source that it would choose, for peers' IPv4 addresses.
  std::map<IpAddress, IpAddress> sources;
  std::map<std::uint32_t, netlink::Link> links;  // of the paths and routes, and the tunnels, by index
  bool needs_own_tunnel = false;
  std::optional<netlink::Link> tunl0;  // so named, whatever its kind; else the IPIP device without endpoints
  std::vector<netlink::Address> tunl0_addresses;
  std::optional<netlink::Link> own_tunnel;  // named ipip.onlink, whatever its kind
  std::optional<netlink::Link> tunnel;      // the one in use
  std::vector<netlink::Address> tunnel_addresses;
  std::optional<netlink::Link> vxlan;  // named vxlan.onlink, whatever its kind; else ours under another name
  std::vector<netlink::Address> vxlan_addresses;
  VxlanEntries vxlan_entries;  // permanent ones
  bool vxlan_missing = false;  // the kernel refused to make such a device
  bool ipip_missing = false;   // the kernel refused to make a tunnel: it has no ipip
  std::vector<netlink::Route>
      routes;  // the node's, of table main, sorted by key; of one key in the kernel's order
  std::vector<netlink::Route> attachments;    // the attachments' routes
  std::map<IpAddress, OwnAddress> unreached;  // addresses of ours to which no path leads, if they are there
  std::vector<netlink::Address>
      underlay_addresses;  // of the interfaces that lead to nodes, with their networks
  // Networks that table main has on a link; read only where the way to a node is not in that table.
  std::vector<netlink::Route> connected;
  std::set<IpAddress> default_gateways;
  std::set<std::uint32_t> tables_before_main;                     // that policy rules lead to
  std::set<std::pair<std::uint32_t, IpAddress>> dead_neighbours;  // (link, address) that do not answer
  std::set<std::uint32_t> not_forwarding;                         // links on which IPv4 forwarding is off
  std::set<std::uint32_t> strict;  // links with strict rp_filter: drop IPv4 packets whose way back differs
  std::set<std::pair<std::uint32_t, IpAddress>> near;  // (strict link, address): neighbours there
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  // If forwarding_v6 is off and the node has IPv6 pods: see netlink/forwarding.h.
  std::vector<std::string> need_accept_ra;

  std::string link_name(std::uint32_t index) const;  // "if12" if not known
  std::string tunnel_device() const;
  bool is_tunnel(std::uint32_t index) const;  // either of the two
  const netlink::Link* link(std::uint32_t index) const;
  const netlink::Route* path_to(const IpAddress& address) const;
  const netlink::Route* outer_path_to(const IpAddress& address) const;
  bool has_own(const IpAddress& address) const;  // as an address of its own, which the kernel uses
  bool is_before_main(const netlink::Route& path) const { return tables_before_main.contains(path.table); }
};

// This node's addresses, as far as the host has them: from others it sends nothing.
std::vector<IpAddress> own_addresses(const Cluster& cluster, const Host& host);

// Whether the path is a network that the node is connected to, on a device where it can ask for link-layer addresses.
// A default route without a gateway, a point-to-point link or a VPN leads to many nodes, but to none of them directly;
// nor does a route that adds headers (encap).
bool on_link(const Host& host, const netlink::Route& path);
bool has_neighbours(const Host& host, const netlink::Route& path);  // the device

// In the caller's network namespace, which must be the socket's. Throws Failure.
Host read_host(netlink::Socket& socket, const Cluster& cluster);

// Whether the link's rp_filter and that of `all` come to strict. In the caller's network namespace.
bool is_strict(const netlink::Link& link);
std::string rp_filter_setting(const std::string& link);

// Reads only the tunnel, of a host that was read before the tunnel was made. local: this node's address.
void read_tunnel(netlink::Socket& socket, const std::optional<IpAddress>& local, Host& host);
void read_vxlan(netlink::Socket& socket, Host& host);

// For each of these, in order, the first route with its key, if there is one. Dumps the tables and compares whole keys:
// a lookup by address would find only one of several routes.
std::vector<std::optional<netlink::Route>> find_holders(netlink::Socket& socket,
                                                        const std::vector<netlink::Route>& wanted);

}  // namespace onlink::node
