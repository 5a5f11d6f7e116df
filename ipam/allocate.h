// SPDX-License-Identifier: Apache-2.0
// Which address of a range set an attachment gets.
#pragma once

#include <optional>
#include <string>

#include "cni/result.h"
#include "ipam/config.h"
#include "ipam/ledger.h"

namespace onlink::ipam {

struct Allocation {
  const Config& config;
  std::size_t range_set;  // number of the set in the configuration
  const cni::Attachment& owner;
  std::optional<IpAddress> wanted;
};

// Takes an address: the wanted one; the one that the attachment held when it died; or the next free one after
// the last that was given out, round the range set. Throws Failure (see reserve() in ipam.h).
cni::IpConfig allocate(Ledger& ledger, const Allocation& allocation);

// The address that allocate() would take for a new attachment, by looking at the files one by one: nothing is
// locked or changed. Stale reservations count as taken. Nothing where there is none.
std::optional<IpAddress> preview_address(const std::optional<Folder>& folder, const Config& config,
                                         std::size_t range_set);

// Whether allocate() would find an address for a new attachment.
bool can_allocate(Ledger& ledger, const Config& config, std::size_t range_set);

// The words for a set that has no address left: how many of its addresses are taken and why none can be
// reclaimed.
std::string describe_exhaustion(Ledger& ledger, const RangeSet& set);

}  // namespace onlink::ipam
