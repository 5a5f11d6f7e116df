// SPDX-License-Identifier: Apache-2.0
// Which of the kernel's notifications mean that something may have to be mended or worked out anew. A busy
// node makes and removes pods all the time; those events cost nothing here.
#pragma once

#include <cstdint>
#include <string>

#include "netlink/message.h"
#include "netlink/monitor.h"
#include "node/routes/desired.h"

namespace onlink::node {

struct Interest {
  std::uint32_t own_port = 0;  // of the socket whose changes are our own
  std::string pod_interfaces = "onl";
  const Desired* desired = nullptr;  // of the last pass; null: everything matters
};

// About links, addresses, routes and forwarding.
bool concerns(const nlmsghdr& message, const Interest& interest);
// About nftables: whether it is about our table.
bool concerns_table(const nlmsghdr& message, const std::string& table);

netlink::Monitor monitor_routes();  // what concerns() knows
netlink::Monitor monitor_rules();   // nftables

}  // namespace onlink::node
