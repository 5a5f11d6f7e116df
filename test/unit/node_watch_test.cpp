// SPDX-License-Identifier: Apache-2.0
// Following an API: single turns, and thousands of random histories against a model of an API server that
// compacts, refuses, cuts, and sends rubbish. When everything has calmed down, what is followed is what the
// server has.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "node/sources/kubernetes/watch.h"

namespace onlink::node {
namespace {

using nlohmann::json;

json node_json(const std::string& name, const std::string& ip, int version) {
  return {{"kind", "Node"},
          {"metadata", {{"name", name}, {"resourceVersion", std::to_string(version)}}},
          {"spec", {{"podCIDRs", {"10.10.1.0/24"}}}},
          {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", ip}}}}}}};
}
json bookmark(int version) {
  return {{"kind", "Node"}, {"metadata", {{"resourceVersion", std::to_string(version)}}}};
}
std::string event(const char* type, const json& object) {
  return json{{"type", type}, {"object", object}}.dump();
}
std::string page(const std::vector<json>& nodes, int version, const std::string& more = "") {
  json metadata = {{"resourceVersion", std::to_string(version)}};
  if (!more.empty()) metadata["continue"] = more;
  return json{{"kind", "NodeList"}, {"metadata", metadata}, {"items", nodes}}.dump();
}
const HttpAnswer good{.status = 200};
const HttpAnswer cut{.status = 200, .error = "connection reset"};
const HttpAnswer away{.status = 0, .error = "connection refused"};
HttpAnswer refused(long status) { return {.status = status, .body = R"({"message":"no"})"}; }

// Lists one node at version 5, and is then watching.
NodeWatch watching() {
  NodeWatch watch("a", 1);
  EXPECT_TRUE(watch.question().list);
  EXPECT_TRUE(watch.page(page({node_json("a", "192.0.2.1", 5)}, 5)));
  watch.ended(good, 10);
  EXPECT_TRUE(watch.take_news());
  EXPECT_FALSE(watch.question().list);
  return watch;
}

TEST(NodeWatch, ListsInPagesThenWatches) {
  NodeWatch watch("a", 1);
  EXPECT_EQ(watch.question().path, "/api/v1/nodes?limit=100");
  ASSERT_TRUE(watch.page(page({node_json("a", "192.0.2.1", 5)}, 7, "x+/=")));
  watch.ended(good, 10);
  EXPECT_FALSE(watch.take_news()) << "half a list is none";
  EXPECT_FALSE(watch.in_sync());
  EXPECT_EQ(watch.question().path, "/api/v1/nodes?limit=100&continue=x%2B%2F%3D");
  ASSERT_TRUE(watch.page(page({node_json("b", "192.0.2.2", 6)}, 7)));
  watch.ended(good, 10);
  EXPECT_TRUE(watch.take_news());
  EXPECT_EQ(watch.nodes().size(), 2u);
  const auto question = watch.question();
  EXPECT_FALSE(question.list);
  EXPECT_NE(question.path.find("watch=1&allowWatchBookmarks=true"), std::string::npos);
  EXPECT_TRUE(question.path.ends_with("resourceVersion=7"));
  EXPECT_EQ(watch.delay_ms(), 0);
}

TEST(NodeWatch, HeartbeatsAreNoNews) {
  NodeWatch watch = watching();
  json beat = node_json("a", "192.0.2.1", 6);
  beat["status"]["conditions"] = {{{"type", "Ready"}, {"lastHeartbeatTime", "now"}}};
  EXPECT_TRUE(watch.line(event("MODIFIED", beat)));
  EXPECT_FALSE(watch.take_news());
  EXPECT_TRUE(watch.line(event("MODIFIED", node_json("a", "192.0.2.9", 7))));
  EXPECT_TRUE(watch.take_news());
  EXPECT_TRUE(watch.line(event("BOOKMARK", bookmark(50))));
  EXPECT_FALSE(watch.take_news());
  watch.ended(good, 300'000);
  EXPECT_TRUE(watch.question().path.ends_with("resourceVersion=50"));
}

TEST(NodeWatch, TooOldListsAgainAtOnceThenMoreAndMoreSlowly) {
  NodeWatch watch = watching();
  EXPECT_FALSE(watch.line(event("ERROR", {{"code", 410}, {"message", "too old"}})));
  watch.ended(cut, 10);
  EXPECT_EQ(watch.delay_ms(), 0);
  EXPECT_TRUE(watch.question().list);
  ASSERT_TRUE(watch.page(page({}, 9)));
  watch.ended(good, 10);
  EXPECT_TRUE(watch.nodes().empty()) << "what a list lacks is gone";
  EXPECT_EQ(watch.reading(), 2u);
  EXPECT_FALSE(watch.question().list);
  watch.ended(refused(410), 10);
  EXPECT_GT(watch.delay_ms(), 0) << "again: no storm";
  EXPECT_FALSE(watch.problem().empty());
  EXPECT_TRUE(watch.question().list);
}

TEST(NodeWatch, TooOldAfterTheApiWasAwayListsAgainAtOnce) {
  NodeWatch watch = watching();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(watch.question().list) << i;
    watch.ended(away, 10);
  }
  EXPECT_GT(watch.delay_ms(), 10'000);
  (void)watch.question();
  watch.ended(refused(410), 10);
  EXPECT_EQ(watch.delay_ms(), 0) << "it is there again";
  EXPECT_TRUE(watch.question().list);
}

// The API takes a watch from a version of its future, and says nothing: all that happened after the backup was missed.
TEST(NodeWatch, MinutesWithoutALineListAgainAsAfterARestoredEtcd) {
  NodeWatch watch = watching();
  int watches = 0;
  while (!watch.question().list) {
    ASSERT_LT(++watches, 20);
    watch.begun();
    watch.ended({.status = 200, .error = "not a byte in 30 s"}, 30'000);
    EXPECT_EQ(watch.delay_ms(), 0);
    EXPECT_EQ(watch.problem(), "");
  }
  EXPECT_GE(watches, 11) << "kubelets write every five minutes";
  ASSERT_TRUE(watch.page(page({node_json("a", "192.0.2.9", 3)}, 3)));
  watch.ended(good, 10);
  EXPECT_TRUE(watch.question().path.ends_with("resourceVersion=3"));
  for (int i = 0; i < 50; ++i) {  // every other one has a line
    const bool heard = i % 2 == 1 || watch.line(event("BOOKMARK", bookmark(4 + i)));
    EXPECT_TRUE(heard);
    watch.ended(good, 300'000);
    EXPECT_FALSE(watch.question().list) << i;
  }
}

TEST(NodeWatch, RefusalsAtOneVersionListAgain) {
  NodeWatch watch = watching();
  std::int64_t longest = 0;
  for (int i = 0; i < NodeWatch::most_refusals; ++i) {
    EXPECT_FALSE(watch.question().list) << i;
    watch.ended(refused(500), 10);
    longest = std::max(longest, watch.delay_ms());
  }
  EXPECT_GT(longest, 2'000) << "they come more and more slowly";
  EXPECT_TRUE(watch.question().list);
  // An API that is away says nothing about the version.
  NodeWatch patient = watching();
  for (int i = 0; i < 50; ++i) {
    patient.ended(away, 1);
    EXPECT_FALSE(patient.question().list);
    EXPECT_LE(patient.delay_ms(), 45'000);
  }
  EXPECT_EQ(patient.problem(), "connection refused");
  patient.begun();
  EXPECT_EQ(patient.problem(), "");
}

TEST(NodeWatch, RubbishEndsTheWatchAndTakesNothing) {
  NodeWatch watch = watching();
  const auto before = watch.nodes();
  for (const char* rubbish :
       {"{", "[]", R"({"type":"MODIFIED","object":{"metadata":{"resourceVersion":"9"}}})"}) {
    EXPECT_FALSE(watch.line(rubbish));
    EXPECT_EQ(watch.nodes(), before);
  }
  watch.ended(cut, 10);
  EXPECT_GT(watch.delay_ms(), 0);
  EXPECT_TRUE(watch.question().path.ends_with("resourceVersion=5"));
}

TEST(NodeWatch, AWatchThatEndsAtOnceIsAFailure) {
  NodeWatch watch = watching();
  watch.ended(good, 20);
  EXPECT_GT(watch.delay_ms(), 0);
  (void)watch.question();
  watch.ended(good, 200'000);
  EXPECT_EQ(watch.delay_ms(), 0);
}

TEST(NodeWatch, RetryAfterIsHeeded) {
  NodeWatch watch = watching();
  HttpAnswer busy = refused(429);
  busy.retry_after_s = 20;
  watch.ended(busy, 10);
  EXPECT_GE(watch.delay_ms(), 10'000);
  busy.retry_after_s = 86'400;
  (void)watch.question();
  watch.ended(busy, 10);
  EXPECT_GE(watch.delay_ms(), 15'000);
  EXPECT_LE(watch.delay_ms(), 45'000) << "but not for a day";
}

// After five refusals of each node's watch came a list for each node.
TEST(NodeWatch, AnOverloadedApiGetsNoLists) {
  for (const long status : {429, 503}) {
    NodeWatch watch = watching();
    for (int i = 0; i < 50; ++i) {
      watch.ended(refused(status), 10);
      EXPECT_FALSE(watch.question().list) << status;
    }
    EXPECT_FALSE(watch.problem().empty());
  }
}

// Each page with a continue token: there never was a list.
TEST(NodeWatch, AListThatDoesNotEndIsARefusal) {
  NodeWatch watch("a", 1);
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(watch.question().path, "/api/v1/nodes?limit=100") << "from its first page";
    ASSERT_TRUE(watch.page(page({node_json("a", "192.0.2.1", 5)}, 7, "x")));
    watch.ended(good, 10);
    EXPECT_EQ(watch.question().path, "/api/v1/nodes?limit=100&continue=x");
    EXPECT_FALSE(watch.page(page({node_json("a", "192.0.2.1", 5)}, 7, "x")));
    watch.ended(good, 10);
    EXPECT_GT(watch.delay_ms(), 0);
    EXPECT_NE(watch.problem().find("\"continue\""), std::string::npos) << watch.problem();
    EXPECT_FALSE(watch.in_sync());
  }
  // Always others, without an end.
  int pages = 0;
  for (bool taken = true; taken && pages < 2000; ++pages) {
    std::vector<json> nodes;
    for (int i = 0; i < 100; ++i) nodes.push_back(node_json(std::to_string(pages * 100 + i), "192.0.2.1", 5));
    (void)watch.question();
    taken = watch.page(page(nodes, 7, "x"));
    watch.ended(good, 10);
  }
  EXPECT_EQ(pages, 1001);
  EXPECT_NE(watch.problem().find("at most 100000 are allowed"), std::string::npos) << watch.problem();
}

// An API server with a memory of its last events.
class ModelServer {
 public:
  explicit ModelServer(unsigned seed) : random_(seed) {}
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

  void happen() {
    const std::string name(1, static_cast<char>('a' + pick(6)));
    ++version_;
    const bool known = nodes_.contains(name);
    if (known && pick(3) == 0) {
      json last = nodes_[name];
      last["metadata"]["resourceVersion"] = std::to_string(version_);
      nodes_.erase(name);
      events_.emplace_back(version_, event("DELETED", last));
    } else {
      const std::string ip = known && pick(2) == 0 ? address(name) : "192.0.2." + std::to_string(pick(200));
      nodes_[name] = node_json(name, ip, version_);
      events_.emplace_back(version_, event(known ? "MODIFIED" : "ADDED", nodes_[name]));
    }
  }
  void compact() {
    events_.clear();
    oldest_ = version_;
  }

  std::map<std::string, std::string> addresses() {
    std::map<std::string, std::string> result;
    for (const auto& [name, node] : nodes_) result[name] = address(name);
    return result;
  }

  // Answers one question, as badly as chaos (in 10) says.
  void answer(NodeWatch& watch, std::uint32_t chaos) {
    const auto question = watch.question();
    const auto bad = [&] { return pick(10) < chaos; };
    if (bad() && pick(2) == 0) return watch.ended(pick(2) == 0 ? away : refused(pick(2) == 0 ? 500 : 403), 5);
    question.list ? answer_list(watch, question.path, bad) : answer_watch(watch, question.path, bad);
  }

 private:
  std::string address(const std::string& name) {
    return nodes_[name]["status"]["addresses"][0]["address"].get<std::string>();
  }

  // Pages of two; a token is "version-name", and as old as the version.
  void answer_list(NodeWatch& watch, const std::string& path, const std::function<bool()>& bad) {
    std::string after;
    int version = version_;
    if (const auto at = path.find("&continue="); at != std::string::npos) {
      const std::string token = path.substr(at + 10);
      version = std::stoi(token.substr(0, token.find('-')));
      after = token.substr(token.find('-') + 1);
      if (version < oldest_) return watch.ended(refused(410), 5);
    } else {
      snapshot_ = nodes_;
    }
    std::vector<json> items;
    auto next = snapshot_.upper_bound(after);
    for (; next != snapshot_.end() && items.size() < 2; ++next) items.push_back(next->second);
    const std::string more =
        next == snapshot_.end()
            ? ""
            : std::to_string(version) + "-" + items.back()["metadata"]["name"].get<std::string>();
    const std::string body = page(items, version, more);
    if (bad() && pick(2) == 0) return watch.ended(cut, 5);  // the page never became whole
    if (bad()) {
      EXPECT_FALSE(watch.page(body.substr(0, body.size() / 2)));
      return watch.ended(good, 5);
    }
    EXPECT_TRUE(watch.page(body));
    watch.ended(good, 5);
    if (bad()) happen();  // between two pages
  }

  void answer_watch(NodeWatch& watch, const std::string& path, const std::function<bool()>& bad) {
    const int version = std::stoi(path.substr(path.find("resourceVersion=") + 16));
    if (version < oldest_) {
      if (pick(2) == 0) return watch.ended(refused(410), 5);
      EXPECT_FALSE(watch.line(event("ERROR", {{"code", 410}, {"message", "too old"}})));
      return watch.ended(good, 5);
    }
    watch.begun();
    for (const auto& [number, line] : events_) {
      if (number <= version) continue;
      if (bad() && pick(2) == 0) return watch.ended(cut, 5);
      if (bad() && pick(2) == 0) {
        EXPECT_FALSE(watch.line(line.substr(0, line.size() - 1)));
        return watch.ended(cut, 5);
      }
      EXPECT_TRUE(watch.line(line));
    }
    if (pick(2) == 0) {
      EXPECT_TRUE(watch.line(event("BOOKMARK", bookmark(version_))));
    }
    watch.ended(good, 300'000);
  }

  std::minstd_rand random_;
  std::map<std::string, json> nodes_, snapshot_;
  std::deque<std::pair<int, std::string>> events_;
  int version_ = 1;
  int oldest_ = 0;
};

std::map<std::string, std::string> followed(const NodeWatch& watch) {
  std::map<std::string, std::string> result;
  for (const KubernetesNode& node : watch.nodes())
    result[node.name()] = node.placed.node.ipv4.value().to_string();
  return result;
}

TEST(NodeWatch, FollowsTheServerThroughRandomHistories) {
  for (unsigned seed = 1; seed <= 2000 && !testing::Test::HasFailure(); ++seed) {
    ModelServer server(seed);
    NodeWatch watch("a", seed);
    std::map<std::string, std::string> last;
    for (int step = 0; step < 40; ++step) {
      for (std::uint32_t i = server.pick(4); i > 0; --i) server.happen();
      if (server.pick(8) == 0) server.compact();
      if (server.pick(30) == 0) watch.start_over();
      server.answer(watch, 4);
      if (watch.take_news()) last = followed(watch);
      EXPECT_EQ(last, followed(watch)) << "a change that was no news, seed " << seed;
    }
    // A list of at most three pages that may have to be started over, and two watches.
    for (int step = 0; step < 8; ++step) server.answer(watch, 0);
    EXPECT_EQ(followed(watch), server.addresses()) << "seed " << seed;
    EXPECT_TRUE(watch.in_sync());
    EXPECT_EQ(watch.problem(), "") << "seed " << seed;
    EXPECT_EQ(watch.delay_ms(), 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace onlink::node
