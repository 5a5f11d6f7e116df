// SPDX-License-Identifier: Apache-2.0
// The addresses of an attachment, from the IPAM that the configuration names: our own in this process, any
// other executed by the specification's delegation. Callers do not see the difference.
#pragma once

#include <vector>

#include "ipam/ipam.h"
#include "plugin/config.h"
#include "plugin/delegate.h"
#include "plugin/host_ends.h"

namespace onlink::plugin {

// ADD: all or nothing. notes: receives what our own IPAM wants to log (each reservation that it reclaimed or
// restored, with the reason).
ipam::Lease lease(const cni::Request& request, const NetConf& config, HostEnds& ends,
                  const ipam::Notes& notes);
// Undoes that: gives back what the lease gave; another IPAM plugin, all that the attachment holds. Where it has a host
// end, nothing is given back: it lives, or its interface could not be removed, and DEL gives back both.
void give_back(const cni::Request& request, const NetConf& config, const ipam::Lease& lease, HostEnds& ends,
               const ipam::Notes& notes);
// Restores missing reservations of living attachments. Only for our own IPAM.
void restore_leases(const NetConf& config, HostEnds& ends, const ipam::Notes& notes);
// DEL, CHECK, STATUS, GC: what the request's command asks of the IPAM (ipam/ipam.h).
void tell_ipam(const cni::Request& request, const NetConf& config, HostEnds& ends, const ipam::Notes& notes);
// The attachments that the list of a GC lacks, and cannot name: their ADD is running, or leased after the GC had begun.
// Only our own IPAM knows them.
std::vector<cni::Attachment> find_unlistable(const cni::Request& request, const NetConf& config,
                                             HostEnds& ends, const ipam::Notes& notes);
// What lease() would give now; nothing is reserved or written, and only read access is needed. Only for our
// own IPAM.
cni::Result preview_lease(const NetConf& config);

}  // namespace onlink::plugin
