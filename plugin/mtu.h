// SPDX-License-Identifier: Apache-2.0
// The MTU of a new attachment.
#pragma once

#include <cstdint>

#include "netlink/socket.h"
#include "plugin/config.h"

namespace onlink::plugin {

// The configuration's; else that in <runDir>/mtu, which onlink-node writes and which allows for the tunnel;
// else that of the host's default route (IPv4, then IPv6): the smallest of the route's own and those of its
// next hops' devices; else 1500. Throws Failure where <runDir>/mtu holds something else than an MTU: a guess
// would break only large packets.
std::uint32_t choose_mtu(const NetConf& config, netlink::Socket& host);

}  // namespace onlink::plugin
