// SPDX-License-Identifier: Apache-2.0
// `events`: what the service did and found, and why (node/journal.h).
#pragma once

#include "node/directories.h"

namespace onlink::node {

// Prints all events, one JSON object a line, oldest first; with `follow` also later ones, until a signal ends the
// program. Throws Failure if there is none and `follow` is false.
void print_events(const Directories& directories, bool follow);

}  // namespace onlink::node
