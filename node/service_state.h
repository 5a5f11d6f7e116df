// SPDX-License-Identifier: Apache-2.0
// Who is at work on a node, and what `run` tells the other verbs about itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "node/cluster/problem.h"
#include "node/directories.h"

namespace onlink::node {

// Only one process at a time changes a node: it holds the lock of its network namespace as long as it runs. Waits a
// second; then throws Failure (try_again) that names the process with the lock.
UniqueFd lock_node(const Directories& directories);
// Whether a process holds the lock.
bool is_node_locked();

// What `run` tells `status`, in <run>/service.json.
struct ServiceState {
  int pid = 0;
  std::string source;
  std::string source_problem;  // empty: its last list is in use
  bool complete = false;
  std::int64_t list_time = 0;     // when the last complete list came, seconds since 1970; 0: none yet
  std::vector<std::string> kept;  // as Nodes::kept
  ProblemList list_problems;      // of the list and its source, which status cannot see itself
  std::uint64_t passes = 0;
  std::uint64_t repairs = 0;    // passes after the first that had to change something
  std::uint64_t overflows = 0;  // times the kernel dropped notifications
  ProblemList problems;         // of the last pass
};
// Nothing if no service is running.
std::optional<ServiceState> load_service_state(const Directories& directories);
// Throws Failure.
void save_service_state(const Directories& directories, const ServiceState& state);
// For a service that has ended, in whatever way.
void forget_service_state(const Directories& directories);

}  // namespace onlink::node
