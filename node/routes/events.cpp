// SPDX-License-Identifier: Apache-2.0
#include "node/routes/events.h"

#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "netlink/address.h"
#include "netlink/fdb.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/route_key.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

bool wanted(const netlink::Route& route, const Desired& desired) {
  const auto found =
      std::lower_bound(desired.routes.begin(), desired.routes.end(), route, netlink::key_before);
  return found != desired.routes.end() && same_key(*found, route);
}

bool route_concerns(const netlink::Route& seen, const Interest& interest) {
  if (seen.table != RT_TABLE_MAIN) return false;
  const netlink::Route route = normalised(seen);
  if (interest.desired != nullptr && wanted(route, *interest.desired)) return true;
  if (is_node_route(route)) return true;
  if (interest.desired == nullptr) return route.protocol != netlink::onlink_protocol;  // else an attachment's
  // If it leads to other nodes, what is on-link may have changed.
  const auto& nodes = interest.desired->underlay;
  const auto node = std::lower_bound(nodes.begin(), nodes.end(), route.dst.network().address);
  return node != nodes.end() && route.dst.contains(*node);
}

bool is_on_vxlan(std::uint32_t link, const Interest& interest) {
  return interest.desired != nullptr && !interest.desired->vxlan_entries.fdb.empty() &&
         interest.desired->vxlan_entries.fdb[0].link == link;
}

// Where IPv6 was off on an interface and comes back, this route is the first that the kernel tells; the link-local address
// follows after a second, when no duplicate of it was found.
bool is_ipv6_back(const netlink::Route& seen, const Interest& interest) {
  return seen.table == RT_TABLE_LOCAL && seen.dst.address.is_multicast() && !seen.dst.is_host() &&
         is_on_vxlan(seen.link, interest);
}

// The kernel does not say who changed a VXLAN device's entries: an entry that is as it should be counts as our change.
bool entry_concerns(const nlmsghdr& message, const Interest& interest) {
  if (interest.desired == nullptr || interest.desired->vxlan_entries.fdb.empty()) return false;
  const auto& [fdb, neighbours] = interest.desired->vxlan_entries;
  const bool there = message.nlmsg_type == RTM_NEWNEIGH;
  if (const auto entry = netlink::parse_fdb_entry(message))
    return entry->link == fdb[0].link && std::binary_search(fdb.begin(), fdb.end(), *entry) != there;
  const auto seen = netlink::parse_neighbour(message);
  if (!seen || seen->link != fdb[0].link) return false;
  const auto wanted =
      std::lower_bound(neighbours.begin(), neighbours.end(), seen->address,
                       [](const netlink::Neighbour& a, const IpAddress& b) { return a.address < b; });
  const bool known = wanted != neighbours.end() && wanted->address == seen->address;
  if (!there) return known;
  return known ? wanted->mac != seen->mac || seen->state != NUD_PERMANENT : seen->state == NUD_PERMANENT;
}

}  // namespace

bool concerns(const nlmsghdr& message, const Interest& interest) {
  if (message.nlmsg_pid != 0 && message.nlmsg_pid == interest.own_port) return false;
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const auto link = netlink::parse_link(message);
      return !link || !link->name.starts_with(interest.pod_interfaces);
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const auto address = netlink::parse_address(message);
      // Pods' host ends have link-local addresses only. Without its own, vxlan.onlink carries no IPv6.
      return !address || address->scope != RT_SCOPE_LINK || is_on_vxlan(address->link, interest);
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const auto route = netlink::parse_route(message);
      return route && (route_concerns(*route, interest) || is_ipv6_back(*route, interest));
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return entry_concerns(message, interest);
    case RTM_NEWNETCONF: {
      const auto attributes = netlink::parts_of<netconfmsg>(message).attributes;
      return attributes.get(netlink::Attribute<std::int32_t>{NETCONFA_FORWARDING}) == 0;
    }
    default:
      return false;
  }
}

bool concerns_table(const nlmsghdr& message, const std::string& table) {
  if (NFNL_SUBSYS_ID(message.nlmsg_type) != NFNL_SUBSYS_NFTABLES) return false;
  // The name of the table is the first attribute of every object that lies in one.
  static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
                NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1);
  const auto attributes = netlink::parts_of<nfgenmsg>(message).attributes;
  return attributes.get(netlink::Attribute<std::string>{NFTA_TABLE_NAME}) == table;
}

netlink::Monitor monitor_routes() {
  constexpr int groups[] = {RTNLGRP_LINK,         RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                            RTNLGRP_IPV4_ROUTE,   RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
                            RTNLGRP_IPV6_NETCONF, RTNLGRP_NEIGH};
  return netlink::Monitor::open(NETLINK_ROUTE, groups);
}

netlink::Monitor monitor_rules() {
  constexpr int groups[] = {NFNLGRP_NFTABLES};
  return netlink::Monitor::open(NETLINK_NETFILTER, groups);
}

}  // namespace onlink::node
