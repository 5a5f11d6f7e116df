// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/failure.h"

namespace onlink::node {
namespace {

// A page is held as text while it is read: 100 Nodes are 1 to 5 MB. That is the smaller part of the 35 MiB for 5,000
// Nodes of 20 KB: with 2 KB each it is 34.
constexpr int page_size = 100;
constexpr std::int64_t list_limit_s = 60;
constexpr std::int64_t shortest_watch_s = 240;
constexpr std::int64_t longest_watch_s = 480;
// The server ends a watch in time; if it does not, it is gone.
constexpr std::int64_t watch_grace_s = 20;
constexpr std::int64_t first_delay_ms = 500;
constexpr std::int64_t longest_delay_ms = 30'000;
// A watch that ends sooner, without an event, counts as failed.
constexpr std::int64_t short_watch_ms = 1'000;
// A kubelet writes its Node at least every five minutes. A watch from a version that the API does not have yet, because its
// etcd was restored from a backup, is not refused: it says nothing until the versions have got there.
constexpr std::int64_t longest_quiet_ms = 360'000;
constexpr int gone = 410;
constexpr int too_many_requests = 429;
constexpr int unavailable = 503;

std::string too_many() {
  return fmt::format("the API has too many Nodes: at most {} are allowed", most_nodes);
}

// A continue token is opaque.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

// Whether it was not there like that before: most events are heartbeats.
bool put(KubernetesNodes& nodes, KubernetesNode node) {
  auto known = nodes.find(node);
  if (known != nodes.end()) {
    if (*known == node) return false;
    known = nodes.erase(known);
  }
  nodes.insert(known, std::move(node));
  return true;
}

std::string described(const HttpAnswer& answer) {
  if (answer.status == 0) return answer.error;
  if (answer.status < 300) return "the answer broke off: " + answer.error;
  return fmt::format("the API refuses (HTTP {}): {}", answer.status, refusal_message(answer.body));
}

}  // namespace

NodeWatch::Question NodeWatch::question() {
  answered_ = expired_ = false;
  senseless_.clear();
  list_asked_ = version_.empty();
  if (list_asked_) {
    std::string path = fmt::format("/api/v1/nodes?limit={}", page_size);
    if (!continued_.empty()) path += "&continue=" + escaped(continued_);
    return {path, true, list_limit_s};
  }
  // Random, so that not all nodes ask at the same time after an API server was restarted.
  const auto seconds =
      std::uniform_int_distribution<std::int64_t>(shortest_watch_s, longest_watch_s)(random_);
  return {fmt::format("/api/v1/nodes?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                      seconds, escaped(version_)),
          false, seconds + watch_grace_s};
}

void NodeWatch::begun() {
  if (!list_asked_) problem_.clear();
}

bool NodeWatch::page(std::string_view body) {
  try {
    take(parse_node_page(body, self_));
    answered_ = true;
  } catch (const Failure& failure) {
    senseless_ = failure.what();
  }
  return answered_;
}

// With a server that gives a continue token with every page, the list would never be complete.
void NodeWatch::take(NodePage page) {
  const std::size_t before = incoming_.size();
  for (KubernetesNode& node : page.nodes) put(incoming_, std::move(node));
  if (incoming_.size() > most_nodes) throw Failure(too_many());
  continued_ = std::move(page.continued);
  if (!continued_.empty()) {
    if (incoming_.size() == before)
      throw Failure(
          "the API's list does not end: a page with \"continue\" has no Node that was not there before");
    return;
  }
  nodes_ = std::exchange(incoming_, {});
  set_version(std::move(page.version));
  ++reading_;
  news_ = true;
}

void NodeWatch::set_version(std::string version) {
  if (version == version_) return;
  version_ = std::move(version);
  refusals_ = 0;
}

bool NodeWatch::line(std::string_view line) {
  try {
    NodeEvent event = parse_node_event(line, self_);
    if (event.kind == NodeEvent::Kind::error) {
      expired_ = event.code == gone;
      if (!expired_) senseless_ = fmt::format("the watch ends with {}: {}", event.code, event.message);
      return false;
    }
    if (event.kind == NodeEvent::Kind::deleted) {
      news_ = nodes_.erase(event.node) > 0 || news_;
    } else if (event.kind == NodeEvent::Kind::changed) {
      if (nodes_.size() >= most_nodes && !nodes_.contains(event.node)) throw Failure(too_many());
      news_ = put(nodes_, std::move(event.node)) || news_;
    }
    set_version(std::move(event.version));
    answered_ = true;
    return true;
  } catch (const Failure& failure) {
    senseless_ = failure.what();
    return false;
  }
}

void NodeWatch::ended(const HttpAnswer& answer, std::int64_t milliseconds) {
  delay_ms_ = 0;
  if (expired_ || answer.status == gone) {
    start_over();
    // The first time without a delay: it happens after every compaction, and when the API was away for long. But a list
    // that does not help must not be asked for in a storm.
    if (answered_ || expirations_++ == 0) {
      expirations_ = 1;
      failures_ = 0;
      return;
    }
    return fail("the API says again and again that its own version is too old", 0);
  }
  if (answered_ && !list_asked_) failures_ = expirations_ = 0;
  if (!senseless_.empty()) {
    ++refusals_;
    return fail(senseless_, 0);
  }
  // An overloaded API says nothing about the version, and lists from all nodes would be more load.
  const bool busy = answer.status == too_many_requests || answer.status == unavailable;
  if (answer.status >= 300 && !busy) ++refusals_;
  if (!answer.good() || (!answer.error.empty() && list_asked_))
    return fail(described(answer), answer.retry_after_s);
  problem_.clear();
  if (list_asked_) return;  // the count of failed watches stays
  if (!answered_ && milliseconds < short_watch_ms) return fail("a watch ended at once", 0);
  failures_ = expirations_ = 0;
  quiet_ms_ = answered_ ? 0 : quiet_ms_ + milliseconds;
  if (quiet_ms_ >= longest_quiet_ms) start_over();
}

void NodeWatch::fail(std::string problem, long retry_after_s) {
  problem_ = std::move(problem);
  if (list_asked_) {  // again from its first page
    incoming_.clear();
    continued_.clear();
  }
  if (refusals_ >= most_refusals) start_over();
  const std::int64_t doubled = first_delay_ms << std::min(failures_, 10);
  ++failures_;
  // Limits Retry-After, too: it may come from something between us and the API, and be a mistake.
  const std::int64_t delay =
      std::min(std::max(doubled, std::int64_t{1000} * retry_after_s), longest_delay_ms);
  delay_ms_ = delay * std::uniform_int_distribution<std::int64_t>(500, 1500)(random_) / 1000;
}

void NodeWatch::start_over() {
  version_.clear();
  refusals_ = 0;
  quiet_ms_ = 0;
  incoming_.clear();
  continued_.clear();
}

}  // namespace onlink::node
