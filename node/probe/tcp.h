// SPDX-License-Identifier: Apache-2.0
// Whether a machine lives that does not answer pings: a port that nobody listens on is refused (RFC 9293, section 3.5.2).
#pragma once

#include <span>
#include <vector>

#include "base/ip.h"

namespace onlink::node {

// For each, in their order: it has answered a connection to TCP port 1, by accepting or refusing it; half a second for all. False
// where something on the way says that it does not pass. From the network namespace of the calling thread. Nothing is sent over
// a connection that is made. Throws nothing: what cannot be asked has not answered.
std::vector<bool> answer_tcp(std::span<const IpAddress> addresses);

}  // namespace onlink::node
