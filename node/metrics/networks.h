// SPDX-License-Identifier: Apache-2.0
// The networks that the container runtime is configured for, as far as onlink or its address manager has part in them.
#pragma once

#include <string>
#include <vector>

#include "ipam/config.h"

namespace onlink::node {

struct Network {
  ipam::Config pool;     // of onlink-ipam, or host-local, whose folders are the same
  std::string log_file;  // of the plugin onlink; empty: it has none
};

// From the files *.conflist, *.conf and *.json of a folder (libcni's rule), each network once, by name. What cannot be
// read, or is of other plugins, is left out: the runtime says what is wrong with it.
std::vector<Network> read_networks(const std::string& folder);

}  // namespace onlink::node
