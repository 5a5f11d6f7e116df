// SPDX-License-Identifier: Apache-2.0
#include "plugin/forwarding.h"

#include <string>

#include "netlink/forwarding.h"
#include "netlink/sysctl.h"

namespace onlink::plugin {

void enable_forwarding(const std::vector<Sysctl>& settings, netlink::Socket& host) {
  for (const auto& [name, value] : settings) {
    if (netlink::read_sysctl(name) == value) continue;
    // A dump, but only at the first IPv6 attachment after boot.
    if (name.starts_with("net/ipv6/"))
      for (const std::string& link : netlink::links_that_need_accept_ra(host))
        netlink::write_sysctl(netlink::accept_ra_setting(link), "2");
    netlink::write_sysctl(name, value);
  }
}

}  // namespace onlink::plugin
