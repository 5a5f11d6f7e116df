// SPDX-License-Identifier: Apache-2.0
// Keeps a node in order: makes a pass whenever something happens that concerns us, and every resyncSeconds anyway.
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
  // Throws Failure if another process is at work on this node, or if the telemetry cannot listen or write its file.
  Service(SourceContext context, TelemetrySettings telemetry);

  // Runs until SIGTERM or SIGINT; routes and everything else stay. Returns the exit status. Throws Failure if it cannot
  // start, or cannot wait for events.
  int run();

 private:
  void read_source();
  void watch();  // (re)opens the monitors
  void pass();
  void mend_pods();
  void wait();            // for the next event; sets what is to be done
  bool handle_signals();  // false: end
  void drain_monitors();
  void say(const std::string& line) const;
  // The first few; of the rest only how many they are. what: "changes".
  void say_some(const std::vector<std::string>& lines, const char* what) const;
  void report(const Pass& pass);
  void tell_problems(const Pass& pass);
  void note_cause(std::optional<Cause> cause);
  void tell_status(std::string status);  // to the service manager, if it has changed
  void save();

  Directories directories_;
  UniqueFd lock_;
  Feed feed_;
  UniqueFd signals_;
  Reconciler reconciler_;
  PodRoutes pods_;
  std::optional<netlink::Monitor> routes_;
  std::optional<netlink::Monitor> rules_;
  std::optional<Desired> last_;  // the result of the last pass, without its paths
  ServiceState state_;
  Telemetry telemetry_;
  Journal journal_;
  std::vector<Cause> causes_;  // why a pass is due
  std::string told_;
  bool pass_due_ = true;
  bool resync_due_ = true;
  bool ended_ = false;
  ProblemList source_problems_;
  std::vector<std::string> pod_failures_;
  bool pods_due_ = true;        // all pods are to be looked at
  std::int64_t next_look_ = 0;  // when to look at them again; 0: not soon
  std::int64_t next_try_ = 0;   // when to try again what could not be given back to them; 0: there is nothing
  std::int64_t try_after_ = 0;  // milliseconds
  std::int64_t earliest_pass_ = 0;  // CLOCK_MONOTONIC, milliseconds
  std::int64_t next_resync_ = 0;
  std::int64_t noticed_ = 0;  // when the notification came for which a pass is due, in nanoseconds; 0: none
};

}  // namespace onlink::node
