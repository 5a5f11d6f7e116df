// SPDX-License-Identifier: Apache-2.0
// The addresses of an attachment, from whichever IPAM the configuration names: our own in this process, any
// other executed as the specification's delegation says. Callers do not see the difference.
#pragma once

#include <functional>

#include "ipam/ipam.h"
#include "plugin/config.h"
#include "plugin/delegate.h"

namespace onlink::plugin {

// ADD: all or nothing. notes: what our own IPAM wants to have logged (each reservation that it reclaimed,
// with why). interface_is_gone: whether the container has no interface of the attachment's name; asked only
// where our own IPAM finds that the attachment has an address already: without an interface, it gets that
// one.
cni::Result lease(const cni::Request& request, const NetConf& config,
                  const std::function<bool()>& interface_is_gone, const ipam::Notes& notes);
// DEL. Nothing leased is success.
void release(const cni::Request& request, const NetConf& config, const ipam::Notes& notes);
// CHECK, STATUS, GC.
void check_lease(const cni::Request& request, const NetConf& config);
void require_free_address(const cni::Request& request, const NetConf& config);
void collect_leases(const cni::Request& request, const NetConf& config, const ipam::Notes& notes);
// What lease() would give now; nothing is reserved or written, no right is needed. Only our own IPAM can
// tell.
cni::Result preview_lease(const NetConf& config);

}  // namespace onlink::plugin
