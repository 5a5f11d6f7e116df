// SPDX-License-Identifier: Apache-2.0
#include "netlink/forwarding.h"

#include <fmt/format.h>

#include <algorithm>

#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/sysctl.h"

namespace onlink::netlink {

std::string accept_ra_setting(const std::string& link) {
  return fmt::format("net/ipv6/conf/{}/accept_ra", link);
}

std::vector<std::string> links_that_need_accept_ra(Socket& socket) {
  std::vector<std::string> names;
  for (const Route& route : list_routes(socket, {.family = IpFamily::v6, .protocol = RTPROT_RA})) {
    const auto link = find_link(socket, route.link);
    if (!link || link->alias.starts_with(host_end_alias) ||
        std::find(names.begin(), names.end(), link->name) != names.end())
      continue;
    if (read_sysctl(accept_ra_setting(link->name)) == "1") names.push_back(link->name);
  }
  return names;
}

}  // namespace onlink::netlink
