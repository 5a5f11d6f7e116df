// SPDX-License-Identifier: Apache-2.0
// Checks the pods of this node: what each attachment needs on the host and in the pod, whether it answers, and whether
// its packets reach other nodes. The alias of its end on the host names an attachment; the runtime is not asked.
// Changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/link.h"
#include "netlink/netns.h"
#include "netlink/socket.h"
#include "node/cluster/problem.h"
#include "node/probe/echo.h"
#include "node/probe/peers.h"
#include "node/routes/host.h"

namespace onlink::node {

struct PodCheck {
  std::string network, container, ifname;  // from the alias, else from the lease
  std::string name;                        // "namespace/name", if the lease has it
  netlink::Link link;
  std::vector<IpAddress> addresses;
  std::optional<netlink::LinkCounters> counters;  // of the host's end: "in" comes from the pod
  std::string lease;                              // the file; empty: none
  std::string since;                              // of the lease
  std::string netns;  // the path by which its namespace can be entered; empty: none is known
  std::vector<std::string> routes, neighbours;  // in the pod, if it can be entered
  bool has_gateway = false;                     // as a permanent neighbour, if the pod can be entered
  EchoResult echo;                              // from the host
  ProblemList problems;
};

// The pods attached to this host. data_dir: where leases are.
std::vector<PodCheck> find_pods(netlink::Socket& socket, const std::string& data_dir);
// One of these that answers this node. As one of the peers of a PodQuestion, other pods ask it as if it were a node.
std::optional<PeerCheck> find_answering(std::vector<PodCheck> pods);
// Fills in the rest. thorough: also looks into every pod, and pings from each the peers that answer this node.
struct PodQuestion {
  const Host& host;
  std::uint32_t pod_mtu = 0;  // the largest that passes everywhere; 0: not known
  const std::vector<PeerCheck>& peers;
  const std::vector<IpAddress>& own;  // this node's addresses
  bool thorough = false;
};
void check_pods(netlink::Socket& socket, const PodQuestion& question, std::vector<PodCheck>& pods);
// What keeps a pod from what this node reaches: of these the first that is in order itself and can be entered.
ProblemList check_way_of_a_pod(netlink::Socket& socket, const PodQuestion& question,
                               std::vector<PodCheck> pods);

}  // namespace onlink::node
