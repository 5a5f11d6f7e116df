// SPDX-License-Identifier: Apache-2.0
// Brings a plan into the kernel: ADD.
#pragma once

#include <string>

#include "base/rollback.h"
#include "netlink/netns.h"
#include "netlink/socket.h"
#include "plugin/plan.h"

namespace onlink::plugin {

// The two sides of an attachment. They are different types so that they cannot be swapped in a call; a socket
// acts in the namespace in which it was opened, so nothing switches namespaces while these are used.
struct Host {
  netlink::Socket socket;
};
struct Sandbox {
  netlink::Netns home;  // the host's, to come back to
  netlink::Netns netns;
  netlink::Socket socket;
};

Host open_host();
// Throws Failure where the path is no network namespace, or is the host's own.
Sandbox open_sandbox(const std::string& path, const Host& host);

// What may be done about leftovers that stand in the way.
struct Takeover {
  // The addresses are provably ours alone (our own IPAM leased them), so a host link or a host route that
  // onlink left for them belongs to a dead attachment and is replaced. Without it both are errors that name
  // the holder.
  bool replace_leftovers = false;
};

// All or nothing together with `undo`: the host link is registered there as soon as it exists, and everything
// else hangs on it.
void apply(const AttachmentPlan& plan, Host& host, Sandbox& sandbox, Takeover takeover, Rollback& undo);

}  // namespace onlink::plugin
