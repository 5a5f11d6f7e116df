// SPDX-License-Identifier: Apache-2.0
// Whether a machine that answers no pings is up: it refuses a port that nobody listens on (RFC 9293, section 3.5.2).
#pragma once

#include <span>
#include <vector>

#include "base/ip.h"

namespace onlink::node {

// For each, in order: whether it accepted or refused a connection to TCP port 1, within half a second for up to 200
// addresses. False also if something on the way refuses. In the network namespace of the calling thread. Sends nothing
// over an accepted connection. Throws nothing: an address that cannot be asked has not answered.
std::vector<bool> answer_tcp(std::span<const IpAddress> addresses);

}  // namespace onlink::node
