// SPDX-License-Identifier: Apache-2.0
// Asks the other nodes whether they are reached: at their own addresses and, along the way of pods' packets, at the
// address that each has in its pod subnet. If not, says what is to blame, as far as it can tell. Changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/socket.h"
#include "node/cluster/cluster.h"
#include "node/cluster/problem.h"
#include "node/probe/echo.h"
#include "node/routes/desired.h"
#include "node/routes/host.h"

namespace onlink::node {

constexpr std::uint32_t loss_tries = 10;

// What is known of one pod subnet of a peer.
struct PeerCheck {
  std::string peer;
  IpPrefix cidr;
  PathKind kind = PathKind::none;
  std::string route;                // the kernel's for an address of the subnet; empty: none
  std::string neighbour;            // "eth0 172.16.91.202 REACHABLE"; empty: none on the way there
  std::optional<IpAddress> source;  // of packets to the node, outside a tunnel
  IpAddress node_address;
  EchoResult node;
  std::optional<IpAddress> far_address;  // the node's in its pod subnet; nothing: none is known
  EchoResult far;
  std::optional<IpAddress> pod_address;  // the pod there that was asked for
  EchoResult pod;
  std::uint32_t asked_size = 0;    // the largest packet that pods send there; 0: not known, not asked
  std::uint32_t largest_size = 0;  // the largest packet that arrives whole
  std::uint32_t lost = 0;          // of loss_tries small packets
  std::string note;                // no problem, but limits what can be told
  std::optional<Problem> problem;

  bool answers() const { return node.answered() || far.answered(); }
};

struct PeerQuestion {
  const Cluster& cluster;
  const Host& host;
  const Desired& desired;           // with the obstacles that were found
  std::vector<std::string> states;  // of each of its paths: "ok", or what is wrong with the route ("missing")
  std::optional<IpAddress> pod = {};  // of a peer, to be asked as well
};
// One result for each path, in order. Takes some seconds, whatever their number. In the network namespace of the
// socket, which must be the caller's. Throws Failure.
std::vector<PeerCheck> check_peers(netlink::Socket& socket, const PeerQuestion& question);

}  // namespace onlink::node
