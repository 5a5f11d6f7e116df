// SPDX-License-Identifier: Apache-2.0
// The little that is asked of nftables over netlink; see nft/table.h for the content of tables, and
// nft/transaction.h for changes to them.
#pragma once

#include <string>

#include "base/failure.h"

namespace onlink::nft {

// Whether the caller's network namespace has this table of family inet. A kernel without nftables has none.
bool has_nft_table(const std::string& name);

// Whether a request was refused because the kernel has no nftables at all.
bool is_without_nftables(const Failure& failure);

// Names the state of all nftables rules in the caller's network namespace: equal texts mean that nobody has
// committed anything in between. Holds for this boot and namespace only; the text names both. Empty where the
// kernel does not report it (before Linux 5.14, or without nftables).
std::string ruleset_generation();
// The name after a single commit (net/netfilter/nf_tables_api.c, nf_tables_commit); empty for an empty one.
std::string next_generation(const std::string& generation);

}  // namespace onlink::nft
