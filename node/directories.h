// SPDX-License-Identifier: Apache-2.0
// Where onlink-node keeps its files.
#pragma once

#include <string>

namespace onlink::node {

struct Directories {
  std::string run = "/run/onlink";
  std::string state = "/var/lib/onlink";
};

}  // namespace onlink::node
