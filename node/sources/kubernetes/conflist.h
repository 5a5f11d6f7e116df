// SPDX-License-Identifier: Apache-2.0
// The network configuration for the container runtime (a CNI conflist), with this node's own pod subnets. Once it is
// there, the kubelet calls the node ready, so it is written last.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "node/directories.h"

namespace onlink::node {

// The template is a conflist in which the "ranges" of at least one "ipam" are empty: each gets one range set per pod
// subnet. Throws Failure (not_json, configuration) if it is no such template.
std::string render_conflist(std::string_view text, std::string_view name,
                            const std::vector<IpPrefix>& pod_cidrs);

// Replaces the file, whole and durably, if it differs, and saves its path for remove_conflist. Returns whether it
// differed. Throws Failure.
bool publish_conflist(const Directories& directories, const std::string& path, const std::string& text);
// Removes the file with the saved path, and returns the path; empty: none was saved. Throws Failure.
std::string remove_conflist(const Directories& directories);

}  // namespace onlink::node
