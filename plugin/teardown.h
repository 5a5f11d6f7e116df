// SPDX-License-Identifier: Apache-2.0
// What DEL and GC have in common: interfaces go first, then the rules that none needs any more (but see
// take_down_with_rules), then addresses, so that nobody gets an address that is still routed: an interface that cannot
// be removed keeps its addresses. Every other step is tried, whatever becomes of the rest.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/failures.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "plugin/apply.h"
#include "plugin/host_ends.h"
#include "plugin/leases.h"
#include "plugin/log.h"

namespace onlink::plugin {

// Runs steps, logs each, and collects the failures.
class Steps {
 public:
  explicit Steps(Log& log) : log_(log) {}

  // False where it failed.
  bool run(const std::string& what, const std::function<void()>& step) {
    const bool done = failures_.attempt(step);
    if (done) log_.step(what);
    return done;
  }
  void finish() const { failures_.throw_if_any(); }

 private:
  Log& log_;
  Failures failures_;
};

// What a call works on.
struct Scene {
  cni::Request& request;
  const NetConf& config;
  Host& host;
  HostEnds& ends;
  Rules rules;
  ipam::Notes notes;
};

// What they differ in; the names of the two steps are for the log.
struct Teardown {
  const char* interfaces;
  void (*remove_interfaces)(Scene& scene, Steps& steps);
  const char* addresses;
};

// If an interface is the last to need rules, sets it down and removes the rules. For both the kernel waits for packets
// under way; with the rules first, it waits for both simultaneously. Keep the result until the interface is gone too.
// Reports no failure: tear_down() tries again when interfaces are gone.
std::vector<netlink::Socket> take_down_with_rules(Scene& scene, const netlink::Link& link);

// Those that no interface needs any more; leftover rules do no harm, so a failure is only logged.
void remove_rules(const Rules& rules, netlink::Socket& host, const HostEnds& ends, Log& log);

// Works with the usable part of the configuration. Throws Failure with all that went wrong.
void tear_down(cni::Request request, const Teardown& teardown);

}  // namespace onlink::plugin
