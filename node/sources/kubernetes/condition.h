// SPDX-License-Identifier: Apache-2.0
// The condition NetworkUnavailable of a Node: while it is True (a cloud's controller may set it, too), the scheduler
// sends no pods there. Pure.
#pragma once

#include <ctime>
#include <string>

#include "node/sources/kubernetes/http_client.h"

namespace onlink::node {

struct NetworkCondition {
  bool unavailable = false;
  std::string message;

  // As KubernetesNode::network has it: "False OnlinkIsUp", "True OnlinkIsNotReady".
  std::string text() const;
};

// Whether a condition, as KubernetesNode::network has it, was set by us.
bool is_our_condition(const std::string& network);

// Fills in a request (api_request) that sets the condition, or takes it away.
void set_condition(HttpRequest& request, const std::string& node_name, const NetworkCondition& condition,
                   std::time_t now);
void remove_condition(HttpRequest& request, const std::string& node_name);

}  // namespace onlink::node
