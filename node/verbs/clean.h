// SPDX-License-Identifier: Apache-2.0
// Removes what onlink-node made on this host, and restores what it changed.
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

// Removes our routes, rules, VXLAN device, address on the tunnel and files; restores forwarding and the tunnel device's
// settings. node_name: finds this node in the last list, if the files in /run are lost. Idempotent. Attachments stay, and keep forwarding on. In the caller's network namespace.
Cleaned clean(const Directories& directories, const std::string& node_name);

}  // namespace onlink::node
