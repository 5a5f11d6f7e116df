// SPDX-License-Identifier: Apache-2.0
// What iptables-legacy and ip6tables-legacy have loaded: rules of their own, which nftables does not list.
#pragma once

#include <string>
#include <vector>

namespace onlink::node {

// The names of those ("iptables-legacy", "ip6tables-legacy") whose FORWARD chain drops what no rule accepts,
// while no rule names an interface that begins with `pods`. In the caller's network namespace. Only looks: a
// table that is not there stays so. What cannot be read is taken for absent.
std::vector<std::string> legacy_forward_drops(const std::string& pods);

}  // namespace onlink::node
