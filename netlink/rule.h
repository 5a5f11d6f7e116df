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
#include "netlink/route.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct Rule {
  std::uint32_t priority = 0;        // the lowest is tried first
  std::uint32_t table = 0;           // that it leads to; 0: none, as where it refuses packets
  std::optional<IpPrefix> dst = {};  // only for packets to there
  std::optional<IpPrefix> src = {};  // only for packets from there
  std::string in = {};               // only for packets that arrive on this interface
  Transport transport = {};          // only for such packets; of ranges of ports, the first port
  bool is_negated = false;           // for those that the rest is not true for

  // Whether it is about a part of what goes to an address.
  bool asks_for_more() const { return src || !in.empty() || transport != Transport(); }
};

// Of both families: a dump.
std::vector<Rule> list_rules(Socket& socket);
// The tables, other than local, that some rule tries before the first rule that leads to table main.
std::set<std::uint32_t> tables_before_main(const std::vector<Rule>& rules);

}  // namespace onlink::netlink
