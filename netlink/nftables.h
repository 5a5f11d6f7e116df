// SPDX-License-Identifier: Apache-2.0
// The little of nftables that is asked over netlink; rules are made by nft(8) or libnftables (see ruleset.h).
#pragma once

#include <string>

namespace onlink::netlink {

// Whether the caller's network namespace has the table of family inet. A kernel that has never heard of
// nftables has none.
bool has_nft_table(const std::string& name);

}  // namespace onlink::netlink
