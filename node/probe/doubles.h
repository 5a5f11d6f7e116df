// SPDX-License-Identifier: Apache-2.0
// Addresses that two machines on one wire have: what is for one of them goes now to this one, now to that one. IPv4 only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"
#include "node/routes/host.h"

namespace onlink::node {

// For each node, in their order, of the next hop on the way there: how many machines have that address, and which; empty where
// not more than one answers. A host with two interfaces on one wire and some switches and clouds (proxy ARP) answer twice and
// work: to be asked only of a node with which something is wrong. In the caller's network namespace. Throws Failure.
std::vector<std::string> find_doubles(const Host& host, std::span<const IpAddress> nodes);

// The same of this node's own address, of which this node itself is not counted.
std::string find_own_double(netlink::Socket& socket, const Host& host, const IpAddress& own);

}  // namespace onlink::node
