// SPDX-License-Identifier: Apache-2.0
// Rules loaded by iptables-legacy and ip6tables-legacy, which nftables does not list.
#pragma once

#include <string>

#include "base/ip.h"

namespace onlink::node {

// The program ("iptables-legacy", "ip6tables-legacy") whose FORWARD chain drops what no rule accepts, and has no rule
// with an interface of pods; empty: it does not. pods: how their interfaces' names begin. In the caller's network
// namespace. Only looks: creates no table. A table that cannot be read counts as absent.
std::string legacy_forward_drops(const std::string& pods, IpFamily family);

}  // namespace onlink::node
