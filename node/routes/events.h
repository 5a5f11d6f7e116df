// SPDX-License-Identifier: Apache-2.0
// Which of the kernel's notifications mean that something may have to be mended or worked out again. A busy node makes
// and removes pods all the time; those notifications cause no pass.
#pragma once

#include <cstdint>
#include <string>

#include "netlink/message.h"
#include "netlink/monitor.h"
#include "node/routes/desired.h"

namespace onlink::node {

struct Interest {
  std::uint32_t own_port = 0;  // of our own socket
  std::string pod_interfaces = "onl";
  const Desired* desired = nullptr;  // of the last pass; null: everything matters
};

// For links, addresses, routes, neighbours and forwarding.
bool concerns(const nlmsghdr& message, const Interest& interest);
// For nftables: whether it is about this table.
bool concerns_table(const nlmsghdr& message, const std::string& table);

netlink::Monitor monitor_routes();  // for concerns()
netlink::Monitor monitor_rules();   // nftables

}  // namespace onlink::node
