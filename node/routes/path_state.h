// SPDX-License-Identifier: Apache-2.0
// The state of the way to a peer's pod subnet, in a word: "ok" only if the kernel has the right route and nothing is
// known to be in its way; else "no path", "missing", "differs", "held by proto ...", "blocked".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ip.h"
#include "node/routes/desired.h"
#include "node/routes/diff.h"

namespace onlink::node {

class PathStates {
 public:
  // Before the changes are made.
  static PathStates before(const Changes& changes);
  // After they were made, except the routes to these subnets, which were refused.
  static PathStates after(const Changes& changes, const std::vector<IpPrefix>& refused);

  std::string of(const PeerPath& path) const;

 private:
  void add_conflicts(const Changes& changes);

  std::map<IpPrefix, std::string> states_;
};

}  // namespace onlink::node
