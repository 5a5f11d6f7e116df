// SPDX-License-Identifier: Apache-2.0
// The elements of a set, as the kernel reports them. In the caller's network namespace. Throws Failure.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "netlink/message.h"
#include "netlink/socket.h"
#include "nft/packets.h"

namespace onlink::nft {

struct Verdict {
  // leave: the chain, back to the rule behind its jump. go: to the other chain, and not back here.
  enum class Kind : std::uint8_t { none, accept, drop, leave, jump, go } kind = Kind::none;
  std::string chain = {};
};
// type: the attribute that holds it.
Verdict verdict_in(const netlink::Attributes& attributes, std::uint16_t type);

struct Count {
  std::uint64_t packets = 0, bytes = 0;

  bool operator==(const Count&) const = default;
};
Count read_count(const netlink::Attributes& counter);

struct Element {
  Values values;         // without a last one: to the highest
  bool is_end = false;   // the first value after an interval: none of these is left in a list
  bool is_rest = false;  // what fits no other element
  Verdict verdict = {};
  std::optional<Count> count = {};
};
// Sorted, the rest last. Nothing where there is no such set. are_intervals: that they are is known; else the end of one
// of them shows it.
std::optional<std::list<Element>> list_elements(netlink::Socket& socket, std::uint8_t family,
                                                const std::string& table, const std::string& set,
                                                bool are_intervals = false);

}  // namespace onlink::nft
