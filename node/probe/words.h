// SPDX-License-Identifier: Apache-2.0
// What became of a packet, in words.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "node/probe/echo.h"

namespace onlink::node {

// "172.16.91.254 refuses it: the host is not reachable"; `otherwise` where nobody said anything.
std::string words_of(const EchoResult& result, const std::string& otherwise);

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
