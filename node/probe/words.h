// SPDX-License-Identifier: Apache-2.0
// What happened to a packet, in words.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "netlink/route.h"
#include "netlink/socket.h"
#include "node/probe/echo.h"

namespace onlink::node {

// "172.16.91.254 refuses it: it has no route"; `otherwise` if nobody said anything.
std::string words_of(const EchoResult& result, const std::string& otherwise);

// Why the kernel sends nothing, by its error, on this host or in a pod.
std::string words_of_unsent(int error);

// The route that a packet takes, with the name of its interface; "no route".
std::string words_of(netlink::Socket& socket, const std::optional<netlink::Route>& way);

// This host's counters of dropped packets: of onlink's own filter and of rp_filter.
class Dropped {
 public:
  static Dropped now();
  // The first counter that has grown since, in words; empty: none has.
  std::string since(const Dropped& before) const;

 private:
  std::map<std::string, std::uint64_t> counters_;
};

}  // namespace onlink::node
