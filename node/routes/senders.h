// SPDX-License-Identifier: Apache-2.0
// Policy rules may ask who sends, by which protocol and port: then packets of a pod, or of a peer's pods, go another way
// than others to the same address. Here are the packets by which that is found out.
#pragma once

#include <vector>

#include "netlink/route.h"
#include "netlink/rule.h"
#include "netlink/socket.h"

namespace onlink::node {

// An address whose way is asked for, in place of others of its subnet.
struct Probe {
  IpAddress address;
  IpPrefix subnet;
  bool is_pod = false;  // one of this node's
};

struct Sent {
  netlink::Flow flow;
  IpPrefix subnet;  // the peer's
  netlink::Route
      pod{};  // the route to the pod of this node that sends or receives it; no link: this node sends it
  bool is_back = false;  // comes from the peer's pods
};

struct Senders {
  const std::vector<netlink::Route>& pods;  // routes to this node's
  std::vector<IpAddress> own;               // this node's addresses, as far as it has them
};

// One pod stands for all that a rule to the same table is for, another for the rest; of a range of ports, its first stands
// for all. peers: probes of the peers' subnets. wanted: the routes to the subnets, sorted by key.
std::vector<Sent> packets_by_sender(netlink::Socket& socket, const std::vector<netlink::Rule>& rules,
                                    const std::vector<Probe>& peers, const Senders& senders,
                                    const std::vector<netlink::Route>& wanted);

// The route of ours to this subnet, or null.
const netlink::Route* route_to_subnet(const std::vector<netlink::Route>& wanted, const IpPrefix& subnet);

}  // namespace onlink::node
