// SPDX-License-Identifier: Apache-2.0
// Which source a cluster file asks for.
#pragma once

#include <memory>
#include <string>

#include "node/cluster/cluster_file.h"
#include "node/sources/source.h"

namespace onlink::node {

// Throws Failure (configuration) for a type that does not exist, or whose keys are not in order. A file that lists the nodes
// itself gives them up to its source.
std::unique_ptr<Source> open_source(ClusterFile& file, const SourceContext& context);

// Takes back what the source was told of this node, for `clean`. What was done, in words; empty: nothing was
// to be done. May wait for some seconds. Throws Failure.
std::string withdraw_from_source(const ClusterFile& file, const SourceContext& context);

}  // namespace onlink::node
