// SPDX-License-Identifier: Apache-2.0
// One ADD or DEL of an attachment at a time. The specification forbids a runtime to run two, but one that was restarted
// does: a DEL that comes between the lease and the pair of an ADD would free the address of a pod that then lives.
#pragma once

#include "base/unique_fd.h"
#include "cni/request.h"
#include "plugin/config.h"
#include "plugin/log.h"

namespace onlink::plugin {

// Waits for a call of the same attachment that is running. Keep the result until this call has ended; the lock dies
// with the process. Throws Failure (try_again) where the other call takes too long. Where runDir cannot be used, that
// is logged, and nothing is locked.
UniqueFd lock_attachment(const cni::Request& request, const NetConf& config, Log& log);

}  // namespace onlink::plugin
