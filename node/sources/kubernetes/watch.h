// SPDX-License-Identifier: Apache-2.0
// Follows the Nodes of a Kubernetes API: what to ask next, and what the answers mean. Pure: it sends nothing; its
// caller gives it the answers and their times.
//
// First it asks for a list, in pages, then for watches from the list's resourceVersion, each from where the last one
// ended. It reads a list again when the version is too old for the API ("410 Gone", as status or as event), after
// several refusals at one version, after minutes without a line, and on demand. What a new list lacks is gone.
#pragma once

#include <cstdint>
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
  // self: the name of this node.
  NodeWatch(std::string self, std::uint32_t seed) : self_(std::move(self)), random_(seed) {}

  struct Question {
    std::string path;          // with its query
    bool list = true;          // the answer's body goes to page(), whole; else line by line to line()
    std::int64_t limit_s = 0;  // how long the answer may take, at most
  };
  // What to ask next, but not before delay_ms() after the last answer has ended; that is never more than 45 seconds.
  Question question();
  std::int64_t delay_ms() const { return delay_ms_; }

  // A good answer begins; a watch without news then says nothing more for a long time.
  void begun();
  // False: this makes no sense, or is an error; nothing was taken, and the request should be ended.
  bool page(std::string_view body);
  bool line(std::string_view line);
  // The answer makes no sense to its reader.
  void refuse(std::string why) { senseless_ = std::move(why); }
  // The answer has ended, complete or not, after this time.
  void ended(const HttpAnswer& answer, std::int64_t milliseconds);
  // Reads the list again. The present request should be ended.
  void start_over();

  // Whether the nodes or the reading have changed since the last call.
  bool take_news() { return std::exchange(news_, false); }
  bool in_sync() const { return reading_ > 0; }
  std::uint64_t reading() const { return reading_; }  // lists so far
  const KubernetesNodes& nodes() const { return nodes_; }
  const std::string& problem() const { return problem_; }  // empty: the last answer was good

  // After this many refusals at one version the list is read again.
  static constexpr int most_refusals = 5;

 private:
  void take(NodePage page);
  void fail(std::string problem, long retry_after_s);
  void set_version(std::string version);

  std::string self_;
  std::minstd_rand random_;
  KubernetesNodes nodes_;
  KubernetesNodes incoming_;  // of the pages so far
  std::string continued_;
  std::string version_;  // empty: a list is needed
  bool list_asked_ = false;
  bool answered_ = false;  // the present answer had something good in it
  bool expired_ = false;   // it said that the version is too old
  std::string senseless_;  // why it makes no sense, or is a refusal; empty: neither
  int failures_ = 0;       // in a row: the delay grows with them
  int refusals_ = 0;       // at this version
  int expirations_ = 0;    // in a row: of versions that are too old
  std::int64_t delay_ms_ = 0;
  std::int64_t quiet_ms_ = 0;  // of the watches since the last one that had a line
  bool news_ = false;
  std::uint64_t reading_ = 0;
  std::string problem_;
};

}  // namespace onlink::node
