// SPDX-License-Identifier: Apache-2.0
// The configuration of BIRD for a cluster file and the source "routes": this node announces its pod subnets, and writes
// what it learns into a kernel table of its own, each route with the BGP next hop itself as gateway.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "node/cluster/bgp.h"
#include "node/cluster/cluster.h"

namespace onlink::node {

// Pure. A whole file, in the syntax that BIRD 2.0.12 and BIRD 3.2 share (3.0 and 3.1 have no `onlink` in filters).
// table: the kernel's, never main.
std::string render_bird(const Cluster& cluster, const Bgp& bgp, std::uint32_t table);

// The same from the cluster file's text; reads the password's file if it names one. Throws Failure with the file's
// problems; a missing key "bgp" is one.
std::string render_bird(std::string_view text, std::string_view name, const std::string& node_name);

}  // namespace onlink::node
