// SPDX-License-Identifier: Apache-2.0
#include "plugin/forwarding.h"

#include <fmt/format.h>

#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/sysctl.h"

namespace onlink::plugin {
namespace {

// A dump, but only at the first IPv6 attachment after boot.
void keep_advertised_routes(netlink::Socket& host) {
  for (const auto& route : netlink::list_routes(host, {.family = IpFamily::v6, .protocol = RTPROT_RA})) {
    const auto link = netlink::find_link(host, route.link);
    if (!link) continue;
    const std::string accept_ra = fmt::format("net/ipv6/conf/{}/accept_ra", link->name);
    if (netlink::read_sysctl(accept_ra) == "1") netlink::write_sysctl(accept_ra, "2");
  }
}

}  // namespace

void enable_forwarding(const std::vector<Sysctl>& settings, netlink::Socket& host) {
  for (const auto& [name, value] : settings) {
    if (netlink::read_sysctl(name) == value) continue;
    if (name.starts_with("net/ipv6/")) keep_advertised_routes(host);
    netlink::write_sysctl(name, value);
  }
}

}  // namespace onlink::plugin
