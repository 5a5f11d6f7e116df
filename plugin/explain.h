// SPDX-License-Identifier: Apache-2.0
// Prints a plan as commands: `onlink --explain`.
#pragma once

#include <string>

#include "plugin/plan.h"

namespace onlink::plugin {

// A shell script of `ip` and `sysctl` commands that builds what ADD builds: the host's side, the container's,
// in the order that works. Run in the host's namespace, with the container's at the plan's path.
std::string explain(const AttachmentPlan& plan);

}  // namespace onlink::plugin
