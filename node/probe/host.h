// SPDX-License-Identifier: Apache-2.0
// What of this host, besides what a pass looks at, keeps pods from talking. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "node/cluster/problem.h"

namespace onlink::node {

struct HostCheck {
  ProblemList problems;
  std::vector<std::string> notes;  // what is well, but worth knowing where something is not
};
// In the caller's network namespace.
HostCheck check_host(const std::string& pod_interfaces);

}  // namespace onlink::node
