// SPDX-License-Identifier: Apache-2.0
// Which address of a range set an attachment gets.
#pragma once

#include <optional>
#include <vector>

#include "cni/result.h"
#include "ipam/config.h"
#include "ipam/ledger.h"

namespace onlink::ipam {

struct Allocation {
  const Config& config;
  std::size_t range_set;  // number of the set in the configuration
  cni::Attachment owner;
  std::optional<IpAddress> wanted;

  const RangeSet& set() const { return config.range_sets[range_set]; }
  bool may_give(const IpAddress& address) const;  // without a request for it, if it is free
};

// Takes an address: the wanted one; or the next free one after the last one given out, round the range set. Throws
// Failure (see reserve() in ipam.h).
cni::IpConfig allocate(Ledger& ledger, const Allocation& allocation);

// What allocate() would give a new attachment, by looking at the files one by one: nothing is locked or
// changed. Stale reservations count as taken. Failure (no_addresses) where there is none.
cni::IpConfig preview(const std::optional<Folder>& folder, const Allocation& allocation);

// Whether every address of the set is taken.
bool is_full(Ledger& ledger, const Allocation& allocation);

// Whether the set has any address that could ever be given without a request for it.
bool has_addresses(const Allocation& allocation);

}  // namespace onlink::ipam
