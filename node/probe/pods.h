// SPDX-License-Identifier: Apache-2.0
// The pods of this node: what each attachment needs on the host and in the pod, whether it answers, and whether what it sends
// reaches other nodes. The attachment is known by the alias of its end on the host; nothing of the runtime is asked. Changes nothing.
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
  std::string network, container, ifname;  // by the alias
  std::string name;                        // "namespace/name", where the lease has it
  netlink::Link link;
  std::vector<IpAddress> addresses;
  std::optional<netlink::LinkCounters> counters;  // of the host's end: "in" is what comes from the pod
  std::string lease;                              // the file; empty: there is none
  std::string since;                              // of the lease
  std::string netns;  // the path by which its namespace can be entered; empty: none is known
  std::vector<std::string> routes, neighbours;  // in the pod, where it can be entered
  bool has_gateway = false;                     // a permanent neighbour, where its inside is known
  EchoResult echo;                              // from the host
  ProblemList problems;
};

// Those that are attached to this host. data_dir: where leases are.
std::vector<PodCheck> find_pods(netlink::Socket& socket, const std::string& data_dir);
// One of these that answers this node, to be asked by others as if it were a node: among the peers of a PodQuestion.
std::optional<PeerCheck> find_answering(std::vector<PodCheck> pods);
// Fills in the rest. thorough: looks also into the pods, and for each sends to the peers that answer this node.
struct PodQuestion {
  const Host& host;
  std::uint32_t pod_mtu = 0;  // the largest that passes everywhere; 0: not known
  const std::vector<PeerCheck>& peers;
  bool thorough = false;
};
void check_pods(netlink::Socket& socket, const PodQuestion& question, std::vector<PodCheck>& pods);
// What keeps the first of these pods that is in order itself, and can be entered, from what this node reaches.
ProblemList check_way_of_a_pod(netlink::Socket& socket, const PodQuestion& question,
                               std::vector<PodCheck> pods);

}  // namespace onlink::node
