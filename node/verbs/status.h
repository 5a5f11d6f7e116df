// SPDX-License-Identifier: Apache-2.0
// How each peer is reached, why so, since when, and what is not in order: looked up afresh, so it is true
// also when no service is running.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "nft/table.h"
#include "node/reconcile.h"
#include "node/service.h"

namespace onlink::node {

struct StatusInput {
  const Nodes& nodes;
  const Pass& plan;  // what there would be to do
  const RunState& state;
  std::optional<ServiceState> service;
  nft::Counts counts;
};

nlohmann::json status_document(const StatusInput& input);
// The same for people.
std::string print_status(const nlohmann::json& document);

}  // namespace onlink::node
