// SPDX-License-Identifier: Apache-2.0
// One ADD or DEL of an attachment at a time. The specification forbids a runtime to run two, but one that was restarted
// does: a DEL that comes between the lease and the pair of an ADD would free the address of a pod that then lives.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "cni/request.h"
#include "plugin/config.h"
#include "plugin/log.h"

namespace onlink::plugin {

// The IPAM plugin that the call runs holds it too: one that outlives a killed call may still reserve an address.
class AttachmentLock {
 public:
  AttachmentLock() = default;
  explicit AttachmentLock(UniqueFd file) noexcept : file_(std::move(file)) {}
  AttachmentLock(AttachmentLock&&) = default;
  AttachmentLock& operator=(AttachmentLock&&) = default;
  ~AttachmentLock();  // unlocks, whatever programs hold the file open still

 private:
  UniqueFd file_;
};

// Waits for a call of the same attachment that is running. Keep the result until this call has ended; the lock dies
// with the process and the IPAM plugin that it runs. Throws Failure (try_again) where the other call takes too long.
// Where runDir cannot be used, that is logged, and nothing is locked.
AttachmentLock lock_attachment(const cni::Request& request, const NetConf& config, Log& log);

// The calls that have such a lock; none where runDir cannot be used.
class RunningCalls {
 public:
  explicit RunningCalls(const NetConf& config);
  // Whether one is of the attachment with this byte_of(). Throws Failure where the kernel does not say.
  bool include(off_t byte) const;

 private:
  std::string path_;
  UniqueFd file_;
};

}  // namespace onlink::plugin
