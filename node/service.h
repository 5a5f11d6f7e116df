// SPDX-License-Identifier: Apache-2.0
// Keeping a node in order: passes whenever something happened that concerns us, and every now and then all
// the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "netlink/monitor.h"
#include "node/feed.h"
#include "node/journal.h"
#include "node/reconcile.h"
#include "node/routes/cause.h"
#include "node/routes/events.h"
#include "node/routes/pods.h"
#include "node/service_state.h"
#include "node/state.h"
#include "node/telemetry.h"

namespace onlink::node {

class Service {
 public:
  // Throws Failure where another process is at work on this node, or where the telemetry cannot be had.
  Service(SourceContext context, TelemetrySettings telemetry);

  // Until SIGTERM or SIGINT; routes and everything else stay. Returns the exit status. Throws only where it
  // cannot start.
  int run();

 private:
  void read_source();
  void watch();  // opens the monitors anew
  void pass();
  void mend_pods();
  void wait();            // for the next event; sets what is to be done
  bool handle_signals();  // false: end
  void drain_monitors();
  void say(const std::string& line) const;
  void report(const Pass& pass);
  void tell_problems(const Pass& pass);
  void note_cause(std::optional<Cause> cause);
  void tell_status(std::string status);  // to the service manager, where it is another than before
  void save();

  Directories directories_;
  UniqueFd lock_;
  Feed feed_;
  UniqueFd signals_;
  Reconciler reconciler_;
  PodRoutes pods_;
  std::optional<netlink::Monitor> routes_;
  std::optional<netlink::Monitor> rules_;
  std::optional<Desired> last_;  // what the last pass came to, but for its paths
  ServiceState state_;
  Telemetry telemetry_;
  Journal journal_;
  std::vector<Cause> causes_;  // why a pass is due
  std::string told_;
  bool pass_due_ = true;
  bool resync_due_ = true;
  bool ended_ = false;
  ProblemList source_problems_;
  bool pods_due_ = true;            // to be looked at, all of them
  std::int64_t next_look_ = 0;      // at them once more; 0: not soon
  std::int64_t earliest_pass_ = 0;  // CLOCK_MONOTONIC, milliseconds
  std::int64_t next_resync_ = 0;
  std::int64_t noticed_ = 0;  // when the kernel told of what a pass is due for, in nanoseconds; 0: it did not
};

}  // namespace onlink::node
