// SPDX-License-Identifier: Apache-2.0
// The rtnetlink attributes that onlink uses, each with the type that the kernel gives it
// (include/uapi/linux/if_link.h, if_addr.h, rtnetlink.h, neighbour.h, netlink.h).
#pragma once

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cstdint>
#include <string>

#include "netlink/message.h"

namespace onlink::netlink {

// Links
inline constexpr Attribute<std::string> link_name{IFLA_IFNAME};
inline constexpr Attribute<std::string> link_alias{IFLA_IFALIAS};
inline constexpr Attribute<std::uint32_t> link_group{IFLA_GROUP};
inline constexpr Attribute<MacAddress> link_mac{IFLA_ADDRESS};
inline constexpr Attribute<std::uint32_t> link_mtu{IFLA_MTU};
inline constexpr Attribute<std::uint32_t> link_peer{IFLA_LINK};
inline constexpr Attribute<std::uint32_t> link_master{IFLA_MASTER};
inline constexpr Attribute<std::int32_t> link_peer_netns{IFLA_LINK_NETNSID};
inline constexpr Attribute<std::int32_t> link_target_netns{IFLA_TARGET_NETNSID};
// Of RTM_GETNSID, after a struct rtgenmsg.
inline constexpr Attribute<std::int32_t> netns_id{NETNSA_NSID};
inline constexpr Attribute<std::uint32_t> netns_descriptor{NETNSA_FD};
inline constexpr Attribute<std::uint32_t> link_netns_fd{IFLA_NET_NS_FD};
inline constexpr Attribute<std::uint32_t> link_extensions{IFLA_EXT_MASK};
inline constexpr Attribute<Bytes> link_counters{IFLA_STATS64};  // struct rtnl_link_stats64
inline constexpr Attribute<Nested> link_xdp{IFLA_XDP};
inline constexpr Attribute<std::uint8_t> xdp_attached{IFLA_XDP_ATTACHED};
inline constexpr Attribute<Nested> link_info{IFLA_LINKINFO};
inline constexpr Attribute<std::string> link_info_kind{IFLA_INFO_KIND};
inline constexpr Attribute<std::string> link_info_port_kind{IFLA_INFO_SLAVE_KIND};
inline constexpr Attribute<Nested> link_info_data{IFLA_INFO_DATA};
inline constexpr Attribute<Nested> veth_peer{VETH_INFO_PEER};
inline constexpr Attribute<IpAddress> tunnel_local{IFLA_IPTUN_LOCAL};
inline constexpr Attribute<IpAddress> tunnel_remote{IFLA_IPTUN_REMOTE};
inline constexpr Attribute<std::uint8_t> tunnel_ttl{IFLA_IPTUN_TTL};
inline constexpr Attribute<std::uint8_t> tunnel_pmtudisc{IFLA_IPTUN_PMTUDISC};
inline constexpr Attribute<std::uint32_t> vxlan_vni{IFLA_VXLAN_ID};
inline constexpr Attribute<IpAddress> vxlan_local{IFLA_VXLAN_LOCAL};
inline constexpr Attribute<IpAddress> vxlan_local6{IFLA_VXLAN_LOCAL6};
inline constexpr Attribute<std::uint16_t> vxlan_port{IFLA_VXLAN_PORT};  // big endian
inline constexpr Attribute<std::uint8_t> vxlan_learning{IFLA_VXLAN_LEARNING};
inline constexpr Attribute<Nested> link_af_spec{IFLA_AF_SPEC};
inline constexpr Attribute<Nested> af_spec_inet{AF_INET};
inline constexpr Attribute<Nested> af_spec_inet6{AF_INET6};
inline constexpr Attribute<Nested> inet_conf{IFLA_INET_CONF};
inline constexpr Attribute<std::uint8_t> inet6_addr_gen_mode{IFLA_INET6_ADDR_GEN_MODE};

// Addresses
inline constexpr Attribute<IpAddress> address_address{IFA_ADDRESS};
inline constexpr Attribute<IpAddress> address_local{IFA_LOCAL};
inline constexpr Attribute<std::uint32_t> address_flags{IFA_FLAGS};
inline constexpr Attribute<std::int32_t> address_target_netns{IFA_TARGET_NETNSID};

// Routes
inline constexpr Attribute<IpAddress> route_dst{RTA_DST};
inline constexpr Attribute<IpAddress> route_gateway{RTA_GATEWAY};
inline constexpr Attribute<Bytes> route_via{RTA_VIA};  // struct rtvia
inline constexpr Attribute<IpAddress> route_prefsrc{RTA_PREFSRC};
inline constexpr Attribute<IpAddress> route_src{RTA_SRC};
inline constexpr Attribute<std::uint32_t> route_iif{RTA_IIF};
inline constexpr Attribute<std::uint32_t> route_oif{RTA_OIF};
inline constexpr Attribute<std::uint8_t> route_ip_protocol{RTA_IP_PROTO};
inline constexpr Attribute<std::uint16_t> route_source_port{RTA_SPORT};  // big endian
inline constexpr Attribute<std::uint16_t> route_port{RTA_DPORT};         // the same
inline constexpr Attribute<std::uint32_t> route_priority{RTA_PRIORITY};
inline constexpr Attribute<std::uint32_t> route_table{RTA_TABLE};
inline constexpr Attribute<Nested> route_metrics{RTA_METRICS};
inline constexpr Attribute<std::uint32_t> route_nexthop{RTA_NH_ID};
inline constexpr Attribute<std::uint32_t> route_realms{RTA_FLOW};
inline constexpr Attribute<std::uint8_t> route_preference{RTA_PREF};
inline constexpr Attribute<std::uint16_t> route_encapsulation{RTA_ENCAP_TYPE};
inline constexpr Attribute<std::uint32_t> metric_mtu{RTAX_MTU};
inline constexpr Attribute<std::uint32_t> metric_advmss{RTAX_ADVMSS};

// Policy rules, after a struct fib_rule_hdr
inline constexpr Attribute<std::uint32_t> rule_priority{FRA_PRIORITY};
inline constexpr Attribute<std::uint32_t> rule_table{FRA_TABLE};
inline constexpr Attribute<IpAddress> rule_dst{FRA_DST};
inline constexpr Attribute<IpAddress> rule_src{FRA_SRC};
inline constexpr Attribute<std::string> rule_in{FRA_IIFNAME};
inline constexpr Attribute<std::uint8_t> rule_ip_protocol{FRA_IP_PROTO};

// Neighbours
inline constexpr Attribute<IpAddress> neighbour_address{NDA_DST};
inline constexpr Attribute<MacAddress> neighbour_mac{NDA_LLADDR};
inline constexpr Attribute<std::uint32_t> neighbour_interface{NDA_IFINDEX};
inline constexpr Attribute<std::string> neightbl_name{NDTA_NAME};
inline constexpr Attribute<Nested> neightbl_parms{NDTA_PARMS};
inline constexpr Attribute<std::uint32_t> neightbl_ifindex{NDTPA_IFINDEX};
inline constexpr Attribute<std::uint64_t> neightbl_proxy_delay{NDTPA_PROXY_DELAY};  // milliseconds

// Acknowledgements
inline constexpr Attribute<std::string> extended_ack_message{NLMSGERR_ATTR_MSG};

}  // namespace onlink::netlink
