// SPDX-License-Identifier: Apache-2.0
// `events`: what the service did and found, and why (node/journal.h).
#pragma once

#include "node/directories.h"

namespace onlink::node {

// Prints what there is, a JSON object a line, oldest first; with follow, what comes later too, until a signal ends the
// program. Throws Failure where there is nothing, and nothing is waited for.
void print_events(const Directories& directories, bool follow);

}  // namespace onlink::node
