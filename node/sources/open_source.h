// SPDX-License-Identifier: Apache-2.0
// Which source a cluster file asks for.
#pragma once

#include <memory>
#include <string>

#include "node/cluster/cluster_file.h"
#include "node/sources/source.h"

namespace onlink::node {

// Throws Failure (configuration) for an unknown type, or for wrong keys of one. The nodes of a file that lists them
// itself move to the source.
std::unique_ptr<Source> open_source(ClusterFile& file, const SourceContext& context);

// For `clean`: removes what the source was told about this node. Returns what was done, in words; empty: nothing to do.
// May wait for some seconds. Throws Failure.
std::string withdraw_from_source(const ClusterFile& file, const SourceContext& context);

}  // namespace onlink::node
