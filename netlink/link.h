// SPDX-License-Identifier: Apache-2.0
// Links: the veth pair of an attachment, and what the kernel says of any interface.
// Each function makes one message; in which network namespace it acts is the socket's that executes it.
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

// What only an IPIP device has (IFLA_IPTUN_*). An unspecified end (0.0.0.0) is nothing.
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
  std::uint16_t port = 0;          // UDP, of the other ends and of this one
  bool learning = false;           // whom a MAC belongs to, from what arrives

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
  std::optional<std::int32_t> peer_netns;  // ID of the namespace of `peer`; nothing where it is the same one
  std::optional<IpipSettings> ipip;        // of kind "ipip" only
  std::optional<VxlanSettings> vxlan;      // of kind "vxlan" only
  std::vector<std::uint32_t> ipv4_conf;    // by IPV4_DEVCONF_* - 1; empty where the kernel did not say

  bool up() const;
  std::uint32_t ipv4_setting(int devconf) const;  // 0 where the kernel did not say
};

// How the alias of an attachment's end on the host begins.
inline constexpr std::string_view host_end_alias = "onlink ";

struct VethPair {
  std::string name;  // the end in the socket's own namespace
  MacAddress mac;
  std::uint32_t mtu = 0;  // of both ends
  std::string peer_name;
  MacAddress peer_mac;
  const Netns* peer_netns = nullptr;  // where the peer is created directly
  std::uint32_t group = 0;            // of the first end: all of its identity until it can have an alias
};

// Both ends in one step, down. The kernel takes no alias at creation (rtnl_create_link). A MAC given at
// creation has addr_assign_type 3 (NET_ADDR_SET), which udev's MACAddressPolicy leaves alone; one given later
// is raced by it (systemd#21185).
Message create_veth(const VethPair& pair);

// Per-interface IPv4 settings by IPV4_DEVCONF_*, through IFLA_INET_CONF (net/ipv4/devinet.c,
// inet_set_link_af): what /proc/sys/net/ipv4/conf/<name>/ has, without /proc.
using Ipv4Settings = std::map<int, std::uint32_t>;
// The name of the file there: "rp_filter" for IPV4_DEVCONF_RP_FILTER. Only for the settings that onlink uses.
const char* ipv4_setting_name(int devconf);
// alias: for people, and as proof of ownership. The group becomes "default".
// manual_link_local: the kernel forms no IPv6 address; the caller may add one. Refused (EAFNOSUPPORT) where the interface
// has no IPv6. The file addr_gen_mode says the same, but does not queue for the RTNL lock: while that is taken, a write
// is begun again and again (addrconf_sysctl_addr_gen_mode, restart_syscall).
struct LinkSettings {
  std::string alias;
  Ipv4Settings ipv4;
  bool manual_link_local = false;
};
Message configure_link(std::uint32_t index, const std::string& name, const LinkSettings& settings);
// The settings alone.
Message set_ipv4_settings(std::uint32_t index, const std::string& name, const Ipv4Settings& settings);
// proxy_delay of ARP or NDP for one interface, in milliseconds (net/core/neighbour.c, neightbl_set).
Message set_proxy_delay(std::uint32_t index, const std::string& name, IpFamily family,
                        std::uint64_t milliseconds);
Message set_link_up(std::uint32_t index, const std::string& name);
Message set_link_down(std::uint32_t index, const std::string& name);
Message set_link_mtu(std::uint32_t index, const std::string& name, std::uint32_t mtu);
// An IPIP device without ends. The kernel loads the module for it, and the module makes "tunl0" by itself
// where its fallback devices are on: then the answer is EEXIST, and the device is there. With `local` its packets
// leave from that address, and it takes those to it, whoever sends them; it is made with pmtudisc.
Message create_ipip(const std::string& name, const std::optional<IpAddress>& local = {});
// Sets ttl and pmtudisc of a device without ends, by SIOCCHGTUNNEL in the caller's network namespace: netlink
// refuses every change of the fallback device tunl0 (net/ipv4/ip_tunnel.c, ip_tunnel_changelink), this way
// works. Throws Failure; a ttl needs pmtudisc.
void change_ipip(const std::string& name, std::uint8_t ttl, bool pmtudisc);
// A VXLAN device that sends to nobody but those of its forwarding entries (fdb.h). Down. What is given here can not
// be changed later (drivers/net/vxlan/vxlan_core.c, vxlan_changelink), but for the MAC.
Message create_vxlan(const std::string& name, const VxlanSettings& settings, const MacAddress& mac,
                     std::uint32_t mtu);
Message delete_link(std::uint32_t index, const std::string& name);
// The same at once. One that is gone meanwhile, with its namespace or by somebody else, is success.
void delete_link_if_any(Socket& socket, const Link& link);

// " of interface 12", for messages about what is asked of one; "" for 0, which is all of them.
std::string of_interface(std::uint32_t index);

Message get_link(const std::string& name);
Message get_link(std::uint32_t index);
std::optional<Link> parse_link(const nlmsghdr& message);  // RTM_NEWLINK, and RTM_DELLINK from a monitor
// What went through a link since it was made (struct rtnl_link_stats64), seen from the socket's namespace.
struct LinkCounters {
  std::uint64_t packets_in = 0, packets_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t dropped_in = 0, dropped_out = 0;
};
// Whether an XDP program is attached, which sees what comes in before the kernel, packet(7) and nftables do; nothing where there
// is no such interface.
std::optional<bool> has_xdp(Socket& socket, std::uint32_t index);
// Nothing where there is no such interface.
std::optional<LinkCounters> read_counters(Socket& socket, std::uint32_t index);
// Asked by name or index; nothing where there is no such interface. Never a dump.
std::optional<Link> find_link(Socket& socket, const std::string& name);
std::optional<Link> find_link(Socket& socket, std::uint32_t index);
// Whether the other end of a veth is there, and so its namespace: also one that is only held by a descriptor
// or a mount. False as soon as the namespace has died, while the kernel is still about to take its interfaces
// away.
bool peer_lives(Socket& socket, const Link& link);
// The ID that the socket's namespace has for another one; nothing where it has none.
std::optional<std::int32_t> find_netns_id(Socket& socket, const Netns& netns);
// The other end itself; nothing where it does not live.
std::optional<Link> find_peer(Socket& socket, const Link& link);
// Whether there is such a link of a kind: a dump that ends at the first one.
bool any_link(const std::string& kind, const std::function<bool(const Link&)>& is_it);
// Every link of a kind ("veth"), or of any kind where it is empty: a dump, for GC and onlink-node.
std::vector<Link> list_links(Socket& socket, const std::string& kind = "");

}  // namespace onlink::netlink
