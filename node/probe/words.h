// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet, in words.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "netlink/route.h"
#include "netlink/socket.h"
#include "node/probe/echo.h"

namespace onlink::node {

// "172.16.91.254 refuses it: the host is not reachable"; `otherwise` where nobody said anything.
std::string words_of(const EchoResult& result, const std::string& otherwise);

// Why the kernel lets none leave, by its error: of "this host" or "the pod".
std::string words_of_unsent(int error);

// The route that a packet takes, with the name of its interface; "no route".
std::string words_of(netlink::Socket& socket, const std::optional<netlink::Route>& way);

// What this host counts of what it drops: of onlink's own filter and of rp_filter.
class Dropped {
 public:
  static Dropped now();
  // What was counted since, in words; empty: nothing was.
  std::string since(const Dropped& before) const;

 private:
  std::map<std::string, std::uint64_t> counters_;
};

}  // namespace onlink::node
