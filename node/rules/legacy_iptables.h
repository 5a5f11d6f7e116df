// SPDX-License-Identifier: Apache-2.0
// Rules loaded by iptables-legacy and ip6tables-legacy, which nftables does not list.
#pragma once

#include <string>
#include <vector>

#include "nft/table.h"

namespace onlink::node {

// The programs ("iptables-legacy", "ip6tables-legacy") whose FORWARD chain drops what no rule accepts, and has no rule
// with an interface of pods. Only those of the families of their networks. In the caller's network namespace. Only looks: creates no table. A table
// that cannot be read counts as absent.
std::vector<std::string> legacy_forward_drops(const nft::Packets& pods);

}  // namespace onlink::node
