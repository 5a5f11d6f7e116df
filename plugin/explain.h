// SPDX-License-Identifier: Apache-2.0
// Prints a plan as commands: `onlink --explain`.
#pragma once

#include <string>

#include "plugin/plan.h"

namespace onlink::plugin {

// A shell script of `ip`, `sysctl` and `nft` commands that builds what ADD builds, in an order that works.
// Run it in the host's namespace, with the container's at the plan's path.
std::string explain(const AttachmentPlan& plan);

}  // namespace onlink::plugin
