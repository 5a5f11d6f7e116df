// SPDX-License-Identifier: Apache-2.0
// Who is at work on a node, and what `run` tells the other verbs of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "node/cluster/problem.h"
#include "node/directories.h"

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
  std::int64_t list_time = 0;     // when the last complete list came, seconds since 1970; 0: none did
  std::vector<std::string> kept;  // peers that are as an earlier list had them (Nodes)
  ProblemList list_problems;      // of the list and its source: what status cannot see for itself
  std::uint64_t passes = 0;
  std::uint64_t repairs = 0;    // passes after the first that had to change something
  std::uint64_t overflows = 0;  // times the kernel dropped notifications
  ProblemList problems;         // of the last pass
};
// Nothing where no service is running.
std::optional<ServiceState> load_service_state(const Directories& directories);
// Throws Failure.
void save_service_state(const Directories& directories, const ServiceState& state);
// Of a service that has ended, however it did.
void forget_service_state(const Directories& directories);

}  // namespace onlink::node
