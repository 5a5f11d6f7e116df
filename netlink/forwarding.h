// SPDX-License-Identifier: Apache-2.0
// What IPv6 forwarding would cost a host.
#pragma once

#include <string>
#include <vector>

#include "netlink/socket.h"

namespace onlink::netlink {

// With IPv6 forwarding on, the kernel stops accepting router advertisements where accept_ra is 1, and a host
// that has its default route from one loses it; 2 accepts them nevertheless
// (Documentation/networking/ip-sysctl.rst). The returned interfaces have routes from advertisements and need
// 2 first. A dump; in the caller's network namespace, which must be the socket's.
std::vector<std::string> links_that_need_accept_ra(Socket& socket);
// "net/ipv6/conf/eth0/accept_ra"
std::string accept_ra_setting(const std::string& link);

}  // namespace onlink::netlink
