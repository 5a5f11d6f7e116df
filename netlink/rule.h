// SPDX-License-Identifier: Apache-2.0
// Policy rules (ip-rule(8)).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct Rule {
  std::uint32_t priority = 0;        // the lowest is tried first
  std::uint32_t table = 0;           // that it leads to; 0: none, as where it refuses packets
  std::optional<IpPrefix> dst = {};  // only for packets to there
  std::optional<IpPrefix> src = {};  // only for packets from there
  std::string in = {};               // only for packets that arrive on this interface
  bool is_negated = false;           // for those that the rest is not true for

  bool asks_who_sends() const { return src || !in.empty(); }
};

// Of both families: a dump.
std::vector<Rule> list_rules(Socket& socket);
// The tables, other than local, that some rule tries before the first rule that leads to table main.
std::set<std::uint32_t> tables_before_main(const std::vector<Rule>& rules);

}  // namespace onlink::netlink
