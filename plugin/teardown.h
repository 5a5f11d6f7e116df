// SPDX-License-Identifier: Apache-2.0
// What DEL and GC have in common: every step is done whatever becomes of the others.
#pragma once

#include <functional>
#include <string>

#include "base/failures.h"
#include "plugin/host_ends.h"
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

// Takes away the rules that no interface of the host needs any more. What is left over of them does no harm, and is
// no reason to keep an attachment: a failure is logged.
void remove_rules(const cni::Request& request, const NetConf& config, const HostEnds& ends, Log& log);

}  // namespace onlink::plugin
