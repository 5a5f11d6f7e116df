// SPDX-License-Identifier: Apache-2.0
// Following the Nodes of a Kubernetes API: what to ask next, and what the answers come to. Pure: it sends
// nothing, and learns from its caller what was answered and when.
//
// First a list, in pages, then a watch from the list's resourceVersion, resumed where the last one ended. A
// list is read again when the version is too old for the API ("410 Gone", as status or as event), after
// several refusals at one version, and when asked for. What a new list lacks is gone.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/sources/kubernetes/http_client.h"
#include "node/sources/kubernetes/node.h"

namespace onlink::node {

class NodeWatch {
 public:
  explicit NodeWatch(std::uint32_t seed) : random_(seed) {}

  struct Question {
    std::string path;          // with its query
    bool list = true;          // the answer's body goes to page(), whole; else line by line to line()
    std::int64_t limit_s = 0;  // how long the answer may take, at most
  };
  // What to ask now, not before delay_ms() after the last answer ended. Never more than 45 seconds.
  Question question();
  std::int64_t delay_ms() const { return delay_ms_; }

  // A good answer begins: where there are no news, a watch says no more for a long time.
  void begun();
  // Nothing is taken from an answer of which this returns false: it makes no sense, and should be ended.
  bool page(std::string_view body);
  bool line(std::string_view line);
  // The answer has ended, whole or not, after so long.
  void ended(const HttpAnswer& answer, std::int64_t milliseconds);
  // Reads the list again, whatever comes of the present question, which should be ended.
  void start_over();

  // Whether the nodes, or the reading, have changed since it was last asked.
  bool take_news() { return std::exchange(news_, false); }
  bool in_sync() const { return reading_ > 0; }
  std::uint64_t reading() const { return reading_; }  // lists so far
  const std::map<std::string, KubernetesNode>& nodes() const { return nodes_; }
  const std::string& problem() const { return problem_; }  // empty: the last answer was a good one

  // After this many refusals at one version the list is read again.
  static constexpr int most_refusals = 5;

 private:
  void take(NodePage page);
  void fail(std::string problem, long retry_after_s);
  void set_version(std::string version);

  std::minstd_rand random_;
  std::map<std::string, KubernetesNode> nodes_;
  std::map<std::string, KubernetesNode> incoming_;  // of the pages so far
  std::string continued_;
  std::string version_;  // empty: a list is needed
  bool list_asked_ = false;
  bool answered_ = false;  // the present answer had something good in it
  bool expired_ = false;   // or said that the version is too old
  std::string senseless_;  // or something that makes no sense, or that is a refusal
  int failures_ = 0;       // in a row: the delay grows with them
  int refusals_ = 0;       // at this version
  int expirations_ = 0;    // in a row: of versions that are too old
  std::int64_t delay_ms_ = 0;
  bool news_ = false;
  std::uint64_t reading_ = 0;
  std::string problem_;
};

}  // namespace onlink::node
