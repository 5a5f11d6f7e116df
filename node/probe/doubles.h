// SPDX-License-Identifier: Apache-2.0
// Addresses that two machines on one wire share: packets go now to one, now to the other. IPv4 only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"
#include "node/routes/host.h"

namespace onlink::node {

// For each node, in order: how many machines have the address of the next hop to it, and which; empty if at most one
// answers. A host with two interfaces on one wire, and some switches and clouds (proxy ARP), answer twice and still
// work: ask only about a node with which something is wrong. In the caller's network namespace. Throws Failure.
std::vector<std::string> find_doubles(const Host& host, std::span<const IpAddress> nodes);

// The same for this node's own address, without this node itself.
std::string find_own_double(netlink::Socket& socket, const Host& host, const IpAddress& own);

}  // namespace onlink::node
