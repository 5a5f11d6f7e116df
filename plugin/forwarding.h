// SPDX-License-Identifier: Apache-2.0
// Forwarding on the host, turned on where it is off.
#pragma once

#include <vector>

#include "netlink/socket.h"
#include "plugin/plan.h"

namespace onlink::plugin {

// settings: net/ipv4/ip_forward and net/ipv6/conf/all/forwarding, as far as the attachment's families need
// them. With IPv6 forwarding on, the kernel stops to accept router advertisements where accept_ra is 1, and a
// host that has its default route from one loses it: there accept_ra becomes 2 first
// (Documentation/networking/ip-sysctl.rst). Throws Failure naming the setting.
void enable_forwarding(const std::vector<Sysctl>& settings, netlink::Socket& host);

}  // namespace onlink::plugin
