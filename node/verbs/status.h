// SPDX-License-Identifier: Apache-2.0
// How each peer is reached, why so, since when, and what is not in order: looked up afresh, so it is true
// also when no service is running.
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

// What is wrong by all that is known without asking anybody; this node's first, then the list's.
ProblemList all_problems(const StatusInput& input);
// Of each path: "ok" where its route is as it should be and nothing is known to be in its way, else what is wrong.
std::vector<std::string> path_states(const Pass& plan);

nlohmann::json status_document(const StatusInput& input);
// Its first line for people: whether this node is in order, and how many pod subnets are in which state.
std::string summary(const nlohmann::json& document);
// The same for people.
struct StatusView {
  bool problems_only = false;  // only the peers that are not "ok"
};
std::string print_status(const nlohmann::json& document, StatusView view = {});
// Leaves this peer only, and the problems that are not another one's. False where there is none of that name.
bool keep_peer(nlohmann::json& document, const std::string& name);

}  // namespace onlink::node
