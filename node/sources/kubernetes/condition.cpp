// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/condition.h"

#include <utility>

#include "base/clock.h"
#include "base/json_reader.h"

namespace onlink::node {
namespace {

constexpr const char* up = "OnlinkIsUp";
constexpr const char* not_ready = "OnlinkIsNotReady";

// The API merges conditions by their type, so others stay untouched.
void patch(HttpRequest& request, const std::string& node_name, nlohmann::json condition) {
  condition["type"] = "NetworkUnavailable";
  const nlohmann::json body = {{"status", {{"conditions", nlohmann::json::array({std::move(condition)})}}}};
  request.method = "PATCH";
  request.url += "/api/v1/nodes/" + node_name + "/status";
  request.headers.emplace_back("Content-Type: application/strategic-merge-patch+json");
  request.body = dump_json(body);
}

}  // namespace

std::string NetworkCondition::text() const {
  return unavailable ? std::string("True ") + not_ready : std::string("False ") + up;
}

bool is_our_condition(const std::string& network) {
  return network.ends_with(std::string(" ") + up) || network.ends_with(std::string(" ") + not_ready);
}

void set_condition(HttpRequest& request, const std::string& node_name, const NetworkCondition& condition,
                   std::time_t now) {
  patch(request, node_name,
        {{"status", condition.unavailable ? "True" : "False"},
         {"reason", condition.unavailable ? not_ready : up},
         {"message", condition.message},
         {"lastHeartbeatTime", in_utc(now)},
         {"lastTransitionTime", in_utc(now)}});
}

void remove_condition(HttpRequest& request, const std::string& node_name) {
  patch(request, node_name, {{"$patch", "delete"}});
}

}  // namespace onlink::node
