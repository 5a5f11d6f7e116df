// SPDX-License-Identifier: Apache-2.0
// Making the changes. In the network namespace of the caller, which must be the socket's.
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
  std::vector<IpPrefix> refused;  // where the routes lead that are not as they should be
};

// Forwarding, the tunnel device and the address that it must have, in this order: what the routes need.
// Routes to a device that was created here need a new look at the host first. Failures are gathered.
Applied apply_basics(netlink::Socket& socket, const Changes& changes, const Host& host);

// Routes: first what comes, then what goes, each in batches in which one refused route does not stop the
// others. A new route is only added where nobody has its key, as the kernel says: what others hold becomes a
// conflict. An own one is replaced in one step, never deleted first.
Applied apply_routes(netlink::Socket& socket, Changes& changes, const Host& host);

// Addresses on the tunnel device that no route names any more.
Applied apply_removals(netlink::Socket& socket, const Changes& changes, const Host& host);

}  // namespace onlink::node
