// SPDX-License-Identifier: Apache-2.0
// The network configuration that the container runtime reads (a CNI conflist), with this node's own pod
// subnets in it. The kubelet calls a node ready when it is there, so it comes last.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "node/directories.h"

namespace onlink::node {

// The template is a conflist in which the "ranges" of at least one "ipam" are empty: each is filled with one
// range set per pod subnet. Throws Failure (not_json, configuration) where it is none.
std::string render_conflist(std::string_view text, std::string_view name,
                            const std::vector<IpPrefix>& pod_cidrs);

// Replaces the file, whole and durably, where it differs, and remembers its path for remove_conflist. Whether
// it differed. Throws Failure.
bool publish_conflist(const Directories& directories, const std::string& path, const std::string& text);
// The path that was remembered, whose file is removed; empty: none was. Throws Failure.
std::string remove_conflist(const Directories& directories);

}  // namespace onlink::node
