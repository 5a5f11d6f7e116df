// SPDX-License-Identifier: Apache-2.0
// The networks that the container runtime is configured for, as far as onlink-ipam or host-local serves them.
#pragma once

#include <string>
#include <vector>

#include "ipam/config.h"

namespace onlink::node {

struct Network {
  ipam::Config pool;     // of onlink-ipam, or host-local, whose folders are the same
  std::string log_file;  // of the plugin onlink; empty: it has none
};

// From the files *.conflist, *.conf and *.json of a folder (libcni's rule), each network of a data folder once. Files
// that cannot be read, or are of other plugins, are left out: the runtime says what is wrong with them.
std::vector<Network> read_networks(const std::string& folder);

}  // namespace onlink::node
