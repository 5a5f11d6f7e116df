// SPDX-License-Identifier: Apache-2.0
// Which single addresses the caller's network namespace has routes to, as a routed pod network has for each
// pod. Such a route goes with the interface that it leads to.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/ip.h"

namespace onlink::ipam {

class HostRoutes {
 public:
  // Reads /proc/net/route and /proc/net/ipv6_route; what cannot be read there tells of no routes.
  static HostRoutes read();
  // The same from the text of those files.
  static HostRoutes parse(std::string_view route, std::string_view ipv6_route);

  // The interface that the route of exactly this address leads to; empty where there is none.
  std::string interface_to(const IpAddress& address) const;

 private:
  std::map<IpAddress, std::string> interfaces_;
};

}  // namespace onlink::ipam
