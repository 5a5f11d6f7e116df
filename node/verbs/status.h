// SPDX-License-Identifier: Apache-2.0
// How each peer is reached, why, since when, and what is not in order. Looked up in the kernel, so it is true even if
// no service is running.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nft/table.h"
#include "node/reconcile.h"
#include "node/service_state.h"

namespace onlink::node {

struct StatusInput {
  const Nodes& nodes;
  const Pass& plan;  // what there would be to do
  const RunState& state;
  std::optional<ServiceState> service;
  nft::Counts counts;
};

// All problems that are known without sending anything; this node's first, then the list's.
ProblemList all_problems(const StatusInput& input);
// The state of each path (PathStates).
std::vector<std::string> path_states(const Pass& plan);

nlohmann::json status_document(const StatusInput& input);
// The first line for people: whether this node is in order, and how many pod subnets are in which state.
std::string summary(const nlohmann::json& document);
// The same for people.
struct StatusView {
  bool problems_only = false;  // only the peers that are not "ok"
};
std::string print_status(const nlohmann::json& document, StatusView view = {});
// Keeps only this peer, and problems that are not of another peer. False if there is no peer of that name.
bool keep_peer(nlohmann::json& document, const std::string& name);

}  // namespace onlink::node
