// SPDX-License-Identifier: Apache-2.0
// Brings a plan into the kernel: ADD.
#pragma once

#include <cerrno>
#include <functional>
#include <string>

#include "base/failure.h"
#include "base/rollback.h"
#include "netlink/netns.h"
#include "netlink/socket.h"
#include "plugin/plan.h"

namespace onlink::plugin {

// The two sides of an attachment. They are different types so that a call cannot swap them. A socket acts in
// the namespace in which it was opened, so nothing switches namespaces while these are used.
struct Host {
  netlink::Socket socket;
  netlink::Netns netns;
};
struct Sandbox {
  netlink::Netns netns;
  netlink::Socket socket;
};

Host open_host();
// Throws Failure where the path is no network namespace, or is the host's own.
Sandbox open_sandbox(const std::string& path, const Host& host);

// The host has a route to an address of the plan already.
class RouteHeld : public Failure {
 public:
  RouteHeld(const std::string& message, bool by_same_network)
      : Failure(message, EEXIST), by_same_network_(by_same_network) {}
  // Held by another attachment of this network: then its reservation is missing.
  bool by_same_network() const noexcept { return by_same_network_; }

 private:
  bool by_same_network_;
};

// Another interface has the name that the attachment's host end would have.
Failure taken_by(const netlink::Link& holder);

// All or nothing together with `undo`: the host link is registered there as soon as it exists, and everything
// else hangs on it. An existing link or route is never replaced: the Failure (EEXIST) names its holder. note:
// receives what had to be ignored.
void apply(const AttachmentPlan& plan, Host& host, Sandbox& sandbox, Rollback& undo,
           const std::function<void(const std::string&)>& note);

}  // namespace onlink::plugin
