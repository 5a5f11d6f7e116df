// SPDX-License-Identifier: Apache-2.0
// Compares an attachment with the kernel: CHECK.
#pragma once

#include <string>
#include <vector>

#include "plugin/apply.h"

namespace onlink::plugin {

// What must be there according to prevResult, as a plan. Chained plugins may have added addresses, routes and
// interfaces of their own, and may have given the container's end another MAC or MTU: what prevResult says of
// those counts, and what is not ours is not looked at.
AttachmentPlan expected_plan(const cni::Request& request, const NetConf& config);

// The interfaces of prevResult that others made and that do not exist any more; those of other containers are
// not looked at.
std::vector<std::string> missing_interfaces(const cni::Request& request, Host& host, Sandbox& sandbox);

// Every difference, in words that name the object, what is expected and what is there.
struct Differences {
  std::vector<std::string>
      faults;  // the attachment is not what it was, or cannot be reached; empty: as attached
  std::vector<std::string> remarks;  // of settings that harden or tune it: for the log
};
// Throws Failure where the kernel's state cannot be read.
Differences differences(const AttachmentPlan& expected, Host& host, Sandbox& sandbox);

}  // namespace onlink::plugin
