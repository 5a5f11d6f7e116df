// SPDX-License-Identifier: Apache-2.0
// The little of nftables that is asked over netlink; see nft_table.h for what is in a table, and
// nft_transaction.h for how one is changed.
#pragma once

#include <string>

#include "base/failure.h"

namespace onlink::nft {

// Whether the caller's network namespace has the table of family inet. A kernel that has never heard of
// nftables has none.
bool has_nft_table(const std::string& name);

// Whether that is why a question was refused: the kernel has no nftables at all.
bool is_without_nftables(const Failure& failure);

// Names the state of all nftables rules in the caller's network namespace: equal texts mean that nothing was
// committed in between, by anybody. Holds for this boot and namespace only, and says so itself. Empty where
// the kernel does not tell (before Linux 5.14, or without nftables).
std::string ruleset_generation();
// What a single commit makes of it (net/netfilter/nf_tables_api.c, nf_tables_commit); empty for an empty one.
std::string next_generation(const std::string& generation);

}  // namespace onlink::nft
