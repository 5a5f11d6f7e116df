// SPDX-License-Identifier: Apache-2.0
// Links: the veth pair of an attachment, and what the kernel knows of any interface. A Message acts in the network
// namespace of the socket that executes it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

// What only an IPIP device has (IFLA_IPTUN_*). An unspecified end (0.0.0.0) reads as nothing.
struct IpipSettings {
  std::optional<IpAddress> local;
  std::optional<IpAddress> remote;
  std::uint8_t ttl = 0;  // 0: inherited from the inner packet
  bool pmtudisc = false;

  bool operator==(const IpipSettings&) const = default;
};

// What only a VXLAN device has (IFLA_VXLAN_*).
struct VxlanSettings {
  std::uint32_t vni = 0;
  std::optional<IpAddress> local;  // the outer source, and so the outer family
  std::uint16_t port = 0;          // UDP, the same at every end
  bool learning = false;           // learn the remote of a MAC from what arrives

  bool operator==(const VxlanSettings&) const = default;
};

struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;  // "veth", "ipip"; empty for physical devices and lo
  std::string alias;
  std::uint32_t group = 0;  // "default"
  std::optional<MacAddress> mac;
  std::uint32_t mtu = 0;
  std::uint32_t flags = 0;   // IFF_*
  std::uint32_t peer = 0;    // IFLA_LINK: for a veth, the other end's index in its own namespace
  std::uint32_t master = 0;  // a VRF or bridge that it belongs to
  std::string port_kind;     // of the master: "bridge", "bond", "vrf"
  std::optional<std::int32_t> peer_netns;  // ID of the namespace of `peer`; nothing where it is the same one
  std::optional<IpipSettings> ipip;        // of kind "ipip" only
  std::optional<VxlanSettings> vxlan;      // of kind "vxlan" only
  std::vector<std::uint32_t> ipv4_conf;    // by IPV4_DEVCONF_* - 1; empty where the kernel did not say
  std::vector<std::uint32_t> ipv6_conf;    // by DEVCONF_*; empty where the link has no IPv6

  bool up() const;
  // 0 where the kernel did not say.
  std::uint32_t ipv4_setting(int devconf) const;
  std::uint32_t ipv6_setting(int devconf) const;
};

// The prefix of the alias of an attachment's host end.
inline constexpr std::string_view host_end_alias = "onlink ";

struct VethPair {
  std::string name;  // the end in the socket's own namespace
  MacAddress mac;
  std::uint32_t mtu = 0;  // of both ends
  std::string peer_name;
  MacAddress peer_mac;
  const Netns* peer_netns = nullptr;  // where the peer is created directly
  std::uint32_t group = 0;            // of the first end: its only identity until it has an alias
};

// Creates both ends in one step, down. The kernel accepts no alias at creation (rtnl_create_link). A MAC given at
// creation has addr_assign_type 3 (NET_ADDR_SET), which udev's MACAddressPolicy leaves alone; a MAC set later races
// with udev (systemd#21185).
Message create_veth(const VethPair& pair);

// Per-interface IPv4 settings by IPV4_DEVCONF_*, through IFLA_INET_CONF (net/ipv4/devinet.c,
// inet_set_link_af): what /proc/sys/net/ipv4/conf/<name>/ has, without /proc.
using Ipv4Settings = std::map<int, std::uint32_t>;
// The file's name there: "rp_filter" for IPV4_DEVCONF_RP_FILTER. Only for the settings that onlink uses.
const char* ipv4_setting_name(int devconf);
// alias: for people, and as proof of ownership. The group becomes "default".
// manual_link_local: the kernel forms no link-local address; the caller may add one. Refused (EAFNOSUPPORT) where the
// interface has no IPv6. The file addr_gen_mode does the same, but a write to it does not queue for the RTNL lock: it
// restarts again and again while the lock is held (addrconf_sysctl_addr_gen_mode, restart_syscall).
struct LinkSettings {
  std::string alias;
  Ipv4Settings ipv4;
  bool manual_link_local = false;
};
Message configure_link(std::uint32_t index, const std::string& name, const LinkSettings& settings);
// Only the settings.
Message set_ipv4_settings(std::uint32_t index, const std::string& name, const Ipv4Settings& settings);
// proxy_delay of ARP or NDP for one interface, in milliseconds (net/core/neighbour.c, neightbl_set).
Message set_proxy_delay(std::uint32_t index, const std::string& name, IpFamily family,
                        std::uint64_t milliseconds);
Message set_link_up(std::uint32_t index, const std::string& name);
Message set_link_down(std::uint32_t index, const std::string& name);
Message set_link_mtu(std::uint32_t index, const std::string& name, std::uint32_t mtu);
// Creates an IPIP device without endpoints. The kernel loads the module, which creates "tunl0" itself where its
// fallback devices are on: then the answer is EEXIST, and the device exists. With `local`, packets leave from that
// address, packets to it from any sender arrive here, and pmtudisc is on.
Message create_ipip(const std::string& name, const std::optional<IpAddress>& local = {});
// Sets ttl and pmtudisc of a device without endpoints, by SIOCCHGTUNNEL in the caller's network namespace: netlink
// refuses every change of the fallback device tunl0 (net/ipv4/ip_tunnel.c, ip_tunnel_changelink). Throws Failure; a ttl
// needs pmtudisc.
void change_ipip(const std::string& name, std::uint8_t ttl, bool pmtudisc);
// Creates a VXLAN device, down, that sends only to the remotes of its forwarding entries (fdb.h). The settings cannot
// be changed later (drivers/net/vxlan/vxlan_core.c, vxlan_changelink); MAC and MTU can.
Message create_vxlan(const std::string& name, const VxlanSettings& settings, const MacAddress& mac,
                     std::uint32_t mtu);
Message delete_link(std::uint32_t index, const std::string& name);
// Executes the same. A link that is gone already, with its namespace or deleted by someone else, is success.
void delete_link_if_any(Socket& socket, const Link& link);

// " of interface 12", for messages; "" for 0, which means all interfaces.
std::string of_interface(std::uint32_t index);

Message get_link(const std::string& name);
Message get_link(std::uint32_t index);
std::optional<Link> parse_link(const nlmsghdr& message);  // RTM_NEWLINK, and RTM_DELLINK from a monitor
// What has passed a link since its creation (struct rtnl_link_stats64), seen from the socket's namespace.
struct LinkCounters {
  std::uint64_t packets_in = 0, packets_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t dropped_in = 0, dropped_out = 0;
};
// Whether an XDP program is attached: it sees incoming packets before the kernel, packet(7) and nftables do. Nothing
// where there is no such interface.
std::optional<bool> has_xdp(Socket& socket, std::uint32_t index);
// Nothing where there is no such interface.
std::optional<LinkCounters> read_counters(Socket& socket, std::uint32_t index);
// Looked up by name or index; nothing where there is no such interface. Never a dump.
std::optional<Link> find_link(Socket& socket, const std::string& name);
std::optional<Link> find_link(Socket& socket, std::uint32_t index);
// Whether the other end of a veth, and so its namespace, exists; a descriptor or a mount is enough to keep it alive.
// False as soon as the namespace has died, even while the kernel still removes its interfaces.
bool peer_lives(Socket& socket, const Link& link);
// The ID that the socket's namespace has for another one; nothing where it has none.
std::optional<std::int32_t> find_netns_id(Socket& socket, const Netns& netns);
// The other end itself; nothing where it is gone.
std::optional<Link> find_peer(Socket& socket, const Link& link);
// Whether is_it holds for a link of the kind: a dump in the caller's network namespace that ends at the first match.
bool any_link(const std::string& kind, const std::function<bool(const Link&)>& is_it);
// All links of a kind ("veth"), or of every kind where it is empty: a dump, for GC and onlink-node.
std::vector<Link> list_links(Socket& socket, const std::string& kind = "");

}  // namespace onlink::netlink
