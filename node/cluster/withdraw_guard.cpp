// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/withdraw_guard.h"

#include <algorithm>

namespace onlink::node {

bool WithdrawGuard::holds(const std::set<std::string>& gone, std::size_t peers, std::uint32_t percent,
                          std::uint64_t reading) {
  const bool few = gone.size() <= always_allowed || gone.size() * 100 <= peers * percent;
  const bool known = std::includes(held_.begin(), held_.end(), gone.begin(), gone.end());
  const bool agreed = !held_.empty() && reading != reading_ && known;
  if (few || agreed) {
    held_.clear();
    return false;
  }
  // Now others are gone, too: the earlier reading said nothing about them.
  if (!known) reading_ = reading;
  held_ = gone;
  return true;
}

}  // namespace onlink::node
