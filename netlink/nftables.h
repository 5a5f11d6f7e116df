// SPDX-License-Identifier: Apache-2.0
// The little of nftables that is asked over netlink; rules are made by nft(8) or libnftables (see ruleset.h).
#pragma once

#include <string>

namespace onlink::netlink {

// Whether the caller's network namespace has the table of family inet. A kernel that has never heard of
// nftables has none.
bool has_nft_table(const std::string& name);

// Names the state of all nftables rules in the caller's network namespace: equal texts mean that nothing was
// committed in between, by anybody. Holds for this boot and namespace only, and says so itself. Empty where
// the kernel does not tell (before Linux 5.14, or without nftables).
std::string ruleset_generation();

}  // namespace onlink::netlink
