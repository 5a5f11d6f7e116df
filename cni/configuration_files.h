// SPDX-License-Identifier: Apache-2.0
// The folder from which a container runtime reads its networks, /etc/cni/net.d.
#pragma once

#include <string>
#include <vector>

namespace onlink::cni {

// The paths of the files that a runtime reads, in its order: *.conflist, *.conf and *.json, sorted by name (libcni,
// ConfFiles). Their content is not checked. Throws Failure where the folder cannot be read.
std::vector<std::string> configuration_files(const std::string& folder);

}  // namespace onlink::cni
