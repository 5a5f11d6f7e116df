// SPDX-License-Identifier: Apache-2.0
// Others' routes that take packets away from ours: a policy rule before table main, a lower metric, a more specific
// route, also in a table that comes before main; and those that keep what comes back from this node's pods. It looks up
// an address of each subnet and reads all of these tables, so it is for people and for resyncs, not for every pass.
#pragma once

#include <map>
#include <set>
#include <string>

#include "netlink/socket.h"
#include "node/cluster/cluster.h"
#include "node/routes/desired.h"
#include "node/routes/host.h"

namespace onlink::node {

// What is in the way of each path, by its pod subnet. Skips paths whose subnet is in without_route, and those that have
// an obstacle already. In the caller's network namespace, which must be the socket's. Throws Failure.
std::map<IpPrefix, std::string> find_obstacles(netlink::Socket& socket, const Cluster& cluster,
                                               const Host& host, const Desired& desired,
                                               const std::set<IpPrefix>& without_route);

}  // namespace onlink::node
