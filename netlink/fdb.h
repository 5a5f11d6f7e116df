// SPDX-License-Identifier: Apache-2.0
// Forwarding entries of a VXLAN device: which node has the endpoint with a MAC (bridge(8), "bridge fdb").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct FdbEntry {
  std::uint32_t link = 0;  // ifindex
  MacAddress mac = {};
  // Where packets to it go, by the device's own port and VNI. Nothing: elsewhere (another port, VNI or interface, a group
  // of nexthop objects), or to several remotes.
  std::optional<IpAddress> remote = {};

  auto operator<=>(const FdbEntry&) const = default;
};

// Needs a remote. A MAC that leads elsewhere must be deleted before (vxlan_core.c, vxlan_fdb_replace).
Message set_fdb_entry(const FdbEntry& entry, const std::string& link_name);
// Deletes all that there is of the MAC.
Message delete_fdb_entry(const FdbEntry& entry, const std::string& link_name);
std::optional<FdbEntry> parse_fdb_entry(const nlmsghdr& message);  // also RTM_DELNEIGH
// The entries of one device, one for each MAC, sorted: a dump, filtered by the kernel.
std::vector<FdbEntry> list_fdb(Socket& socket, std::uint32_t link);

}  // namespace onlink::netlink
