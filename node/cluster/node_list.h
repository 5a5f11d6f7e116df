// SPDX-License-Identifier: Apache-2.0
// The nodes of a cluster as a source tells them.
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
  // Checked already, as a whole (NodeChecks). Otherwise single nodes that are wrong are left out.
  bool checked = false;
  // What the source itself could not make sense of.
  ProblemList problems = {};
  // Counts how often the source was read from scratch, from 1: two lists with different numbers were not
  // made from one reading. Where much is withdrawn, a second reading has to agree (withdraw_guard.h).
  std::uint64_t reading = 1;
};

}  // namespace onlink::node
