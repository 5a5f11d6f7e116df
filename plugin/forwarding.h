// SPDX-License-Identifier: Apache-2.0
// Forwarding on the host, turned on where it is off.
#pragma once

#include <vector>

#include "netlink/socket.h"
#include "plugin/plan.h"

namespace onlink::plugin {

// settings: net/ipv4/ip_forward and net/ipv6/conf/all/forwarding, as far as the attachment's families need
// them. A host that has its IPv6 default route from a router advertisement keeps it (netlink/forwarding.h).
// Throws Failure naming the setting.
void enable_forwarding(const std::vector<Sysctl>& settings, netlink::Socket& host);

}  // namespace onlink::plugin
