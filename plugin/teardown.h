// SPDX-License-Identifier: Apache-2.0
// What DEL and GC have in common: interfaces go first, then the rules that none needs any more (but see
// take_down_with_rules), then addresses, so that nobody gets an address that is still routed. Every step is done
// whatever becomes of the others.
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

// Runs steps, logs each, and gathers what went wrong.
class Steps {
 public:
  explicit Steps(Log& log) : log_(log) {}

  void run(const std::string& what, const std::function<void()>& step) {
    if (failures_.attempt(step)) log_.step(what);
  }
  void finish() const { failures_.throw_if_any(); }

 private:
  Log& log_;
  Failures failures_;
};

// What a call works on.
struct Scene {
  const cni::Request& request;
  Host& host;
  HostEnds& ends;
  Rules rules;
};

// What they differ in; the names of the two steps are for the log.
struct Teardown {
  const char* interfaces;
  void (*remove_interfaces)(Scene& scene, Steps& steps);
  const char* addresses;
  void (*release)(const cni::Request& request, const NetConf& config, HostEnds& ends,
                  const ipam::Notes& notes);
};

// Sets an interface down that is the last to need rules, and takes these away: with either the kernel waits for packets
// that are under way, and where the rules go first it waits for both at once. Keep what is returned until the interface
// is gone too. Does nothing else, and tells of no failure: tear_down() looks once more when interfaces are gone.
std::vector<netlink::Socket> take_down_with_rules(Scene& scene, const netlink::Link& link);

// Works with what is usable of the configuration. Throws Failure with all that went wrong; what is left over of rules does
// no harm, and is no reason to keep an attachment: that is logged only.
void tear_down(const cni::Request& request, const Teardown& teardown);

}  // namespace onlink::plugin
