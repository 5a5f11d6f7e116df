// SPDX-License-Identifier: Apache-2.0
// What on this host may keep pods from talking, besides what a pass looks at. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "netlink/socket.h"
#include "node/cluster/cluster.h"
#include "node/cluster/problem.h"
#include "node/routes/host.h"

namespace onlink::node {

struct HostCheck {
  ProblemList problems;
  std::vector<std::string> notes;  // what is fine, but worth knowing if something else is not
};
// In the caller's network namespace, which must be that of the socket and of `host`. Throws Failure; needs CAP_NET_RAW.
HostCheck check_host(netlink::Socket& socket, const Cluster& cluster, const Host& host);

}  // namespace onlink::node
