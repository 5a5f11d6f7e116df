// SPDX-License-Identifier: Apache-2.0
// Routes as the kernel distinguishes them, so that a wanted route and the one read back compare equal.
#pragma once

#include "netlink/route.h"

namespace onlink::netlink {

// One form for what the kernel reports differently from what it was given: an IPv6 metric of 0 is 1024, and
// an IPv6 blackhole goes through lo (net/ipv6/route.c, ip6_route_info_create).
Route normalised(Route route);

// The kernel's own key: table, destination, source, tos, metric.
bool same_key(const Route& a, const Route& b);
bool key_before(const Route& a, const Route& b);

}  // namespace onlink::netlink
