// SPDX-License-Identifier: Apache-2.0
// The nodes from a Kubernetes API: lists and watches Nodes, and tells the API and the container runtime about this
// node. Needs the rights get, list and watch on nodes, and patch on nodes/status.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/wait.h"
#include "node/sources/kubernetes/access.h"
#include "node/sources/kubernetes/condition.h"
#include "node/sources/kubernetes/http_client.h"
#include "node/sources/kubernetes/watch.h"
#include "node/sources/source.h"

namespace onlink::node {

class KubernetesSource final : public Source {
 public:
  // Throws Failure if it gets no descriptors. An API that cannot be reached is no failure.
  KubernetesSource(KubernetesConfig config, std::string node_name, Directories directories);

  int descriptor() const override { return descriptors_.descriptor(); }
  bool read() override;
  std::shared_ptr<const NodeList> list() const override;
  void refresh() override;
  std::string describe() const override { return description_; }
  std::string problem() const override { return watch_.problem(); }
  std::optional<IpAddress> address() const override { return client_.server(); }
  ProblemList problems() const override;
  // Writes the conflist when this node is ready, and updates the condition.
  void passed(const Readiness& readiness) override;

 private:
  void ask();
  bool take(std::string_view chunk);
  bool fits(std::size_t limit);
  void answered(HttpAnswer answer);
  std::int64_t silent_until() const;
  void end_silence();
  void write_conflist(const std::vector<IpPrefix>& pod_cidrs);
  void report_condition();
  void condition_answered(const HttpAnswer& answer);
  void set_alarm();

  KubernetesConfig config_;
  std::string node_name_;
  Directories directories_;
  std::string description_;
  Descriptors descriptors_;
  Timer alarm_;
  HttpClient client_;
  NodeWatch watch_;

  std::string asked_;  // which API: its URL and authorities
  NodeWatch::Question question_;
  std::uint64_t request_ = 0;  // 0: none is under way
  std::int64_t asked_at_ = 0;  // CLOCK_MONOTONIC, milliseconds
  std::int64_t ask_at_ = 0;
  std::int64_t heard_ms_ = 0;  // the same: when the last byte came, or the request was sent
  bool begun_ = false;         // whether the answer has begun
  std::int64_t heard_at_ = 0;  // seconds since 1970: when the API last said anything; 0: never
  std::string received_;       // of the page, or of an incomplete line

  std::optional<NetworkCondition> wanted_;
  std::uint64_t patch_ = 0;
  int patch_tries_ = 0;  // since the Node last had the condition
  std::int64_t patch_at_ = 0;
  std::string patch_problem_;
  std::string conflist_problem_;
};

// Removes this node's condition from the API, if it is ours. Waits at most ten seconds for each answer. Returns what
// was done, in words; empty: there was nothing to do. Throws Failure.
std::string withdraw_condition(const KubernetesConfig& config, const std::string& node_name);

}  // namespace onlink::node
