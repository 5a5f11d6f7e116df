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
#include "node/reconcile.h"
#include "node/routes/events.h"
#include "node/routes/pods.h"
#include "node/state.h"

namespace onlink::node {

// One process at a time changes a node: it holds the lock of its network namespace for its life. Throws
// Failure naming the holder's process where somebody has it already.
UniqueFd lock_node(const Directories& directories);
// Whether somebody has it.
bool is_node_locked();

// What `run` tells `status`, in <run>/service.json.
struct ServiceState {
  int pid = 0;
  std::string source;
  std::string source_problem;  // empty: its last list is the one in use
  bool complete = false;
  std::vector<std::string> kept;  // peers that are as an earlier list had them (Nodes)
  ProblemList list_problems;      // of the list and its source: what status cannot see for itself
  std::uint64_t passes = 0;
  std::uint64_t repairs = 0;    // passes after the first that had to change something
  std::uint64_t overflows = 0;  // times the kernel dropped notifications
  ProblemList problems;         // of the last pass
};
// Nothing where no service is running.
std::optional<ServiceState> load_service_state(const Directories& directories);
// Of a service that has ended, however it did.
void forget_service_state(const Directories& directories);

class Service {
 public:
  // Throws Failure where another process is at work on this node.
  explicit Service(SourceContext context);

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
  std::optional<Nodes> nodes_;
  std::optional<Pass> last_;
  ServiceState state_;
  std::string told_;
  bool pass_due_ = true;
  bool resync_due_ = true;
  bool ended_ = false;
  ProblemList source_problems_;
  bool pods_due_ = true;            // to be looked at, all of them
  std::int64_t next_look_ = 0;      // at them once more; 0: not soon
  std::int64_t earliest_pass_ = 0;  // CLOCK_MONOTONIC, milliseconds
  std::int64_t next_resync_ = 0;
};

}  // namespace onlink::node
