// SPDX-License-Identifier: Apache-2.0
// The address manager: which address an attachment gets, how long it keeps it, and when it is taken back.
//
// Every function but preview() takes the network's lock, acts, and releases it; none of them runs a program or
// waits for the network. Waiting for the lock is bounded: Failure (try_again) that names the holder. They may be
// called in any namespace; paths are those of the caller's mount namespace.
#pragma once

#include <string>
#include <vector>

#include "cni/request.h"
#include "cni/result.h"
#include "ipam/config.h"
#include "ipam/evidence.h"

namespace onlink::ipam {

struct Lease {
  cni::Result result;
  // While these exist, others know that the ADD is running, though the kernel does not have its attachment yet.
  std::vector<Evidence::Claim> claims;
};
// ADD: one address from each range set, with its gateway; the configured routes and dns. All or nothing.
// An attachment that holds an address already gets it again if its old attachment is proved dead
// (evidence.h); otherwise that is a Failure. Other failures: no_addresses; a requested address that is taken,
// and by whom; files.
Lease reserve(const Config& config, const cni::Request& request, const Notes& notes);
// Undoes that: gives back what the lease gave, and nothing else that the attachment may hold.
void give_back(const Config& config, const cni::Request& request, const Lease& lease, const Notes& notes);

// Restores missing reservations of living attachments (HostEnds::holdings()). reserve() does so itself where it
// sees that the folder was changed.
void restore(const Config& config, const Notes& notes);

// What reserve() would give a new attachment now. Nothing is locked, written or reclaimed, and only read access to
// the folder is needed. Failure (no_addresses) where every address is taken.
cni::Result preview(const Config& config);

// DEL: gives back all that the attachment holds. Nothing to give back is success.
void release(const Config& config, const cni::Request& request, const Notes& notes);

// CHECK: the attachment holds an address that prev_result lists, and it holds every address of prev_result
// that is in our ranges. Failure (not_as_attached) otherwise.
void check(const Config& config, const cni::Request& request);

// STATUS: Failure (unavailable) with what would make every ADD fail: a resolvConf or <runDir>/reserved that cannot
// be read, a data folder that cannot be created or written, a range set with nothing to give. A full pool is no
// failure, as the next attachment that ends cures it (README.md); it is noted. Creates no file in dataDir.
void require_ready(const Config& config, const Notes& notes = {});

// The attachments that the list of a GC lacks, and cannot name: their ADD is running, or reserved after the GC had
// begun.
std::vector<cni::Attachment> find_unlistable(const Config& config, const cni::Request& request,
                                             const Notes& notes);

// GC: takes back what no valid attachment of the request holds, and what is stale. What the request lists as valid
// stays, whatever the evidence. Does all that it can; then throws one Failure with all that went wrong.
void collect(const Config& config, const cni::Request& request, const Notes& notes);

}  // namespace onlink::ipam
