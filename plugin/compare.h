// SPDX-License-Identifier: Apache-2.0
// Compares an attachment with the kernel: CHECK.
#pragma once

#include <string>
#include <vector>

#include "plugin/apply.h"

namespace onlink::plugin {

// What must exist according to prevResult, as a plan. Chained plugins may have added addresses, routes and
// interfaces of their own, or given the container's end another MAC or MTU: for the latter prevResult counts,
// and what is not ours is not checked.
AttachmentPlan expected_plan(const cni::Request& request, const NetConf& config);

// Every difference, in words that name the object, what is expected and what was found.
struct Differences {
  std::vector<std::string> faults;   // the attachment has changed, or cannot be reached; empty: as attached
  std::vector<std::string> remarks;  // on settings that harden or tune it: for the log
};
// Of the plan, and of the interfaces of prevResult that others made on the host or in this container: that they exist.
// Throws Failure where the kernel's state cannot be read.
Differences differences(const cni::Request& request, const AttachmentPlan& expected, Host& host,
                        Sandbox& sandbox);

}  // namespace onlink::plugin
