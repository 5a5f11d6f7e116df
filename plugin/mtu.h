// SPDX-License-Identifier: Apache-2.0
// The MTU of a new attachment.
#pragma once

#include <cstdint>

#include "netlink/socket.h"
#include "plugin/config.h"

namespace onlink::plugin {

// The configuration's; else that in <runDir>/mtu, which onlink-node writes and which knows of the tunnel; else
// that of the host's default route (IPv4, then IPv6): the smallest that it has for itself or by the devices of
// its next hops; else 1500. Throws Failure where <runDir>/mtu holds something else than an MTU: guessing would
// break large packets only.
std::uint32_t choose_mtu(const NetConf& config, netlink::Socket& host);

}  // namespace onlink::plugin
