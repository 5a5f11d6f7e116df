// SPDX-License-Identifier: Apache-2.0
#include "netlink/route_key.h"

#include <cstdint>
#include <tuple>

namespace onlink::netlink {
namespace {

auto key(const Route& route) {
  return std::tie(route.table, route.dst, route.from, route.tos, route.priority);
}

}  // namespace

Route normalised(Route route) {
  constexpr std::uint32_t ipv6_default_metric = 1024;  // IP6_RT_PRIO_USER
  if (!route.dst.address.is_v4() && route.priority == 0) route.priority = ipv6_default_metric;
  if (route.type == RTN_BLACKHOLE) route.link = 0;
  return route;
}

bool same_key(const Route& a, const Route& b) { return key(a) == key(b); }
bool key_before(const Route& a, const Route& b) { return key(a) < key(b); }

}  // namespace onlink::netlink
