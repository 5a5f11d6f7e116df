// SPDX-License-Identifier: Apache-2.0
// Makes the changes. In the caller's network namespace, which must be the socket's.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"
#include "node/routes/diff.h"
#include "node/routes/host.h"

namespace onlink::node {

struct Applied {
  std::size_t messages = 0;  // route messages sent to the kernel
  std::vector<std::string>
      failures;  // one each, with the kernel's words; the other changes are made all the same
  std::vector<IpPrefix> refused;  // destinations whose routes could not be made
};

// What the routes need: forwarding, the tunnel devices and their addresses, in this order. After a device was created
// here, look at the host again before routes to it. Failures are gathered.
Applied apply_basics(netlink::Socket& socket, const Changes& changes, const Host& host);

// Routes: additions, removals, replacements, in this order and in batches in which one refused route does not stop the
// others. A new route is only added if the kernel has none with its key: one that others hold becomes a conflict. Our own
// routes are replaced in one step, never deleted first. A removal among several of one key may hit ours: the replacement
// of that key puts it back.
Applied apply_routes(netlink::Socket& socket, Changes& changes, const Host& host);

// Addresses and entries on the tunnel devices that no route needs any more, or a whole VXLAN device.
Applied apply_removals(netlink::Socket& socket, const Changes& changes, const Host& host);

}  // namespace onlink::node
