// SPDX-License-Identifier: Apache-2.0
// What an attachment consists of in the kernel, as plain data: the one description that ADD applies, CHECK
// compares and --explain prints. Making it is a pure function; nothing in it is random.
//
// Interface indexes are not known yet: the `link` of every address, route and neighbour in a plan is 0 and means
// "this side's end of the pair".
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cni/request.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/sysctl.h"
#include "plugin/config.h"
#include "plugin/rules.h"

namespace onlink::plugin {

using netlink::Sysctl;

// One end of the pair, and what belongs to it in its namespace. The members are in the order of creation:
// settings before the link is up, addresses before the routes that need them, and what a link that goes down
// would lose (routes, permanent neighbours) last.
struct End {
  std::string name;
  MacAddress mac;
  netlink::LinkSettings settings;
  std::vector<Sysctl> sysctls;  // per-interface settings that only /proc/sys has; all are IPv6's
  std::vector<netlink::Address> addresses;
  std::vector<netlink::Route> routes;
  std::vector<netlink::Neighbour> neighbours;
};

struct AttachmentPlan {
  std::string netns;                // path of the container's namespace
  std::uint32_t mtu = 0;            // of the host end; 0 (CHECK only): not known
  std::uint32_t container_mtu = 0;  // the same, unless a chained plugin changed it
  bool mac_by_other = false;        // CHECK only: a chained plugin has given the container's end another MAC
  std::uint32_t unfinished_group = 0;  // of the pair, until the host end has its alias
  std::vector<IpFamily> families;      // of the addresses, IPv4 first
  std::vector<Sysctl> host_sysctls;    // of the whole host: forwarding
  bool sets_host_sysctls = true;       // false: someone else sets them
  Rules rules;
  End host;
  End container;

  bool has(IpFamily family) const {
    return std::find(families.begin(), families.end(), family) != families.end();
  }
};

// For a network, without an attachment's addresses where there is no lease.
Rules plan_rules(const cni::Request& request, const NetConf& config, const cni::Result& lease);

// Before anything is leased: Failure where no attachment can have this container ID, interface name or MAC.
void check_request(const cni::Request& request, const NetConf& config);

// lease: the addresses, routes and dns that the IPAM gave. mtu: of both ends. Throws Failure where the lease
// cannot be realised: no address, two addresses alike, a route of a family without an address.
AttachmentPlan plan_attachment(const cni::Request& request, const NetConf& config, const cni::Result& lease,
                               std::uint32_t mtu);

// A container's routes come after those of its other networks with the same destination: the first one stays in use.
// Those through a gateway get the next free metric for that (apply.cpp): of two with one metric, the kernel would use
// both in turn (IPv4's default routes: fib_select_default) or spread packets over them (IPv6).
inline netlink::RouteMode container_route_mode(const netlink::Route& route) {
  return route.gateway ? netlink::RouteMode::create : netlink::RouteMode::append;
}

// The result of ADD: the plan in the protocol's words, after what prevResult contains from earlier plugins of
// the chain.
cni::Result describe(const AttachmentPlan& plan, const cni::Request& request, const NetConf& config,
                     const cni::Result& lease);

}  // namespace onlink::plugin
