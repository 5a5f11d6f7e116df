// SPDX-License-Identifier: Apache-2.0
// A list that suddenly lacks most of the nodes is more often a mistake (an API server with an empty or restored
// store, half a file) than the truth. Such a list has to be read twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace onlink::node {

class WithdrawGuard {
 public:
  // Up to this many may go together, whatever their share.
  static constexpr std::size_t always_allowed = 3;

  // gone: those of `peers` peers that a list does not name any more. reading: of the list (NodeList). True: they stay
  // until another reading agrees, that is, names none of them either.
  bool holds(const std::set<std::string>& gone, std::size_t peers, std::uint32_t percent,
             std::uint64_t reading);
  // Whether something is held: the source should be read again.
  bool waiting() const { return !held_.empty(); }

 private:
  std::set<std::string> held_;
  std::uint64_t reading_ = 0;  // the first one without them
};

}  // namespace onlink::node
