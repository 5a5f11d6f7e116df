// SPDX-License-Identifier: Apache-2.0
// Taking away what onlink-node made on this host, and giving back what it changed.
#pragma once

#include <string>
#include <vector>

#include "node/directories.h"

namespace onlink::node {

struct Cleaned {
  std::vector<std::string> done;      // as commands
  std::vector<std::string> left;      // what stays, and why
  std::vector<std::string> failures;  // every step is tried
};

// Our routes, rules, address on the tunnel and files go; forwarding and the tunnel device's settings become
// what they were. Twice is once. Attachments stay, and keep forwarding on. In the caller's network namespace.
Cleaned clean(const Directories& directories);

}  // namespace onlink::node
