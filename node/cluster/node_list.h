// SPDX-License-Identifier: Apache-2.0
// The nodes of a cluster as a source has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/cluster/cluster.h"

namespace onlink::node {

struct NodeList {
  std::vector<PlacedNode> nodes;  // this node among them
  // Whether it is complete ("in sync"): only then is a node that it does not name gone.
  bool complete = true;
  // Already checked as a whole (NodeChecks). Otherwise single wrong nodes are left out.
  bool checked = false;
  // What the source itself did not understand.
  ProblemList problems = {};
  // How often the source was read from scratch, from 1: lists with different numbers are from different readings.
  // If a list withdraws much, a second reading has to agree (withdraw_guard.h).
  std::uint64_t reading = 1;
};

}  // namespace onlink::node
