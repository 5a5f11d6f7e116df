// SPDX-License-Identifier: Apache-2.0
// What of this host, besides what a pass looks at, keeps pods from talking. Changes nothing.
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
  std::vector<std::string> notes;  // what is well, but worth knowing where something is not
};
// In the caller's network namespace, which is the socket's, and of which `host` was read. Throws Failure; needs CAP_NET_RAW.
HostCheck check_host(netlink::Socket& socket, const Cluster& cluster, const Host& host);

}  // namespace onlink::node
