// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "base/failure.h"
#include "node/sources/learned_routes.h"
#include "node/sources/routes_source.h"

namespace onlink::node {
namespace {

constexpr std::int64_t hold = 60'000;
constexpr const char* b = "172.16.91.202";
constexpr const char* c = "172.16.92.203";

Node node(const std::string& name, const std::string& address, const std::string& cidr) {
  Node result;
  result.name = name;
  result.ipv4 = IpAddress::parse(address);
  if (!cidr.empty()) result.pod_cidrs.push_back(*IpPrefix::parse(cidr));
  return result;
}

std::vector<PlacedNode> file() {
  return {{"nodes[0]", node("A", "172.16.91.201", "10.10.0.0/24")},
          {"nodes[1]", node("B", b, "10.99.0.0/24")}};
}

netlink::Route route(const std::string& dst, const std::string& gateway, std::uint32_t metric = 32) {
  netlink::Route result;
  result.dst = *IpPrefix::parse(dst);
  if (!gateway.empty()) result.gateway = IpAddress::parse(gateway);
  result.priority = metric;
  return result;
}

// "B: 10.10.1.0/24 10.10.3.0/24", the others likewise, this node left out.
std::string carried(const LearnedRoutes& learned) {
  std::string text;
  for (const PlacedNode& placed : learned.list().nodes) {
    if (placed.node.name == "A" || placed.node.pod_cidrs.empty()) continue;
    text += (text.empty() ? "" : "; ") + placed.node.name + ":";
    for (const IpPrefix& cidr : placed.node.pod_cidrs) text += " " + cidr.to_string();
  }
  return text;
}

std::string problems(const LearnedRoutes& learned) {
  std::string text;
  for (const onlink::node::Problem& problem : learned.list().problems) text += problem.text + "\n";
  return text;
}

LearnedRoutes make(bool allow_empty = false) {
  return LearnedRoutes({.table = 169, .hold = hold, .allow_empty = allow_empty}, file(), "A");
}

TEST(LearnedRoutes, NextHopsAreNodesAndTheFileNamesThem) {
  LearnedRoutes learned = make();
  learned.update(
      {route("10.10.1.0/24", b), route("10.10.2.0/24", c), route("fd00:10:2::/64", "fd00::3", 1024)}, 0);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24; 172.16.92.203: 10.10.2.0/24; fd00::3: fd00:10:2::/64");
  EXPECT_EQ(problems(learned), "");
  EXPECT_EQ(learned.list().nodes[0].node, file()[0].node);
}

TEST(LearnedRoutes, RestartGivesNobodyTheRangeOfAnother) {
  const std::vector<Node> left = {node("B", b, "10.10.1.0/24")};
  for (const std::string thief : {"10.10.1.0/25", "10.10.1.128/25"}) {
    LearnedRoutes again({.table = 169, .hold = hold}, file(), "A", left);
    again.update({route(thief, c), route("10.10.1.0/24", b)}, 0);
    EXPECT_EQ(carried(again), "B: 10.10.1.0/24") << thief;
  }
}

TEST(LearnedRoutes, RestartTakesNoHoldTimeFromThoseWhoseRoutesComeLater) {
  LearnedRoutes learned({.table = 169, .hold = hold}, file(), "A",
                        {node("B", b, "10.10.1.0/24"), node("D", c, "10.10.0.0/16")});
  learned.update({route("10.10.2.0/24", b)}, 0);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24 10.10.2.0/24") << "D's would be this node's own by now";
  EXPECT_FALSE(learned.complete());
  EXPECT_TRUE(learned.expire(hold));
  EXPECT_EQ(carried(learned), "B: 10.10.2.0/24");
  EXPECT_TRUE(learned.complete());
}

TEST(LearnedRoutes, ThisNodeMustBeInTheFile) { EXPECT_THROW(LearnedRoutes({}, file(), "X"), Failure); }

TEST(LearnedRoutes, CompleteOnceTheTableWasFollowedForTheHoldTime) {
  LearnedRoutes learned = make();
  learned.update({}, 0);
  EXPECT_FALSE(learned.next_event());
  EXPECT_FALSE(learned.expire(hold * 10)) << "an empty table is no list, however long";
  learned.update({route("10.10.1.0/24", b)}, hold * 10);
  EXPECT_FALSE(learned.complete());
  EXPECT_EQ(learned.next_event(), hold * 11);
  EXPECT_FALSE(learned.expire(hold * 11 - 1));
  EXPECT_TRUE(learned.expire(hold * 11));
  EXPECT_TRUE(learned.complete());
  EXPECT_FALSE(learned.next_event());
}

TEST(LearnedRoutes, WhatIsGoneIsCarriedOnForTheHoldTime) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", b), route("10.10.2.0/24", c)}, 0);
  (void)learned.expire(hold);
  learned.update({route("10.10.1.0/24", b)}, 100'000);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24; 172.16.92.203: 10.10.2.0/24");
  EXPECT_EQ(problems(learned),
            "no longer in kernel table 169, kept for 60 s: 10.10.2.0/24 (172.16.92.203)\n");
  EXPECT_EQ(learned.next_event(), 100'000 + hold);
  EXPECT_FALSE(learned.expire(100'000 + hold - 1));
  EXPECT_TRUE(learned.expire(100'000 + hold));
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
  EXPECT_EQ(problems(learned), "");
  EXPECT_TRUE(learned.complete());
}

TEST(LearnedRoutes, BackWithinTheHoldTimeNothingHasHappened) {
  LearnedRoutes learned = make();
  const std::vector<netlink::Route> both = {route("10.10.1.0/24", b), route("10.10.2.0/24", c)};
  learned.update(both, 0);
  const std::string before = carried(learned);
  learned.update({route("10.10.1.0/24", b)}, 1000);
  learned.update(both, 2000);
  (void)learned.expire(hold * 5);
  EXPECT_EQ(carried(learned), before);
  EXPECT_EQ(learned.held(), 0u);
}

TEST(LearnedRoutes, AnEmptiedTableWithdrawsNothingAndItsReturnGivesTimeAnew) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", b), route("10.10.2.0/24", c)}, 0);
  (void)learned.expire(hold);
  learned.update({}, hold);
  (void)learned.expire(hold * 100);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24; 172.16.92.203: 10.10.2.0/24");
  EXPECT_FALSE(learned.complete());
  learned.update({route("10.10.2.0/24", c)}, hold * 100);
  EXPECT_EQ(learned.held(), 1u);
  (void)learned.expire(hold * 101 - 1);
  EXPECT_EQ(learned.held(), 1u);
  (void)learned.expire(hold * 101);
  EXPECT_EQ(carried(learned), "172.16.92.203: 10.10.2.0/24");
}

TEST(LearnedRoutes, AnEmptyTableCountsWhereThatIsAllowed) {
  LearnedRoutes learned = make(true);
  learned.update({route("10.10.1.0/24", b)}, 0);
  EXPECT_TRUE(learned.complete());
  learned.update({}, 1000);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
  EXPECT_TRUE(learned.expire(1000 + hold));
  EXPECT_EQ(carried(learned), "");
  EXPECT_TRUE(learned.complete());
}

TEST(LearnedRoutes, ANextHopThatMovesMovesAtOnce) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", b)}, 0);
  learned.update({route("10.10.1.0/24", c)}, 1000);
  EXPECT_EQ(carried(learned), "172.16.92.203: 10.10.1.0/24");
  EXPECT_EQ(learned.held(), 0u);
}

TEST(LearnedRoutes, OfSeveralRoutesTheKernelsChoiceCounts) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", c, 200), route("10.10.1.0/24", b, 20)}, 0);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
}

TEST(LearnedRoutes, APartOfAnothersSubnetIsNotGivenAway) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", b)}, 0);
  for (const char* part : {"10.10.1.0/25", "10.10.1.128/25", "10.10.1.7/32", "10.10.0.0/15"}) {
    learned.update({route("10.10.1.0/24", b), route(part, c)}, 1000);
    EXPECT_EQ(carried(learned), "B: 10.10.1.0/24") << part;
    EXPECT_NE(problems(learned).find(part), std::string::npos) << problems(learned);
  }
  // Not while it may only be on its way back.
  learned.update({route("10.10.1.0/25", c)}, 2000);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
  (void)learned.expire(2000 + hold);
  EXPECT_EQ(carried(learned), "172.16.92.203: 10.10.1.0/25");
  EXPECT_EQ(problems(learned), "");
}

TEST(LearnedRoutes, ADaemonThatFillsItsTableAgainGivesNobodyTheRangeOfAnother) {
  const netlink::Route mine = route("10.10.1.0/24", b), part = route("10.10.1.0/25", c);
  LearnedRoutes learned({.table = 169, .hold = hold}, file(), "A");
  learned.update({mine}, 0);
  for (std::int64_t time = 1000; time < 5 * hold; time += 10'000) {
    learned.update({mine, part}, time);
    learned.update({}, time + 1000);
    EXPECT_NE(carried(learned).find("B: 10.10.1.0/24"), std::string::npos);
    learned.update({part}, time + 2000);
    EXPECT_NE(carried(learned).find("B: 10.10.1.0/24"), std::string::npos);
  }
}

// The same node may divide its range anew, or get more.
TEST(LearnedRoutes, ANextHopsOwnRangeGrowsAtOnce) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.2.0/25", b), route("10.10.2.128/25", b)}, 0);
  learned.update({route("10.10.2.0/24", b)}, 1000);
  EXPECT_EQ(carried(learned), "B: 10.10.2.0/24");
  EXPECT_EQ(problems(learned), "");
}

TEST(LearnedRoutes, APartWithTheSameNextHopIsNoProblem) {
  LearnedRoutes learned = make();
  learned.update({route("10.10.1.0/24", b), route("10.10.1.64/26", b)}, 0);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
  EXPECT_EQ(problems(learned), "");
}

struct Refused {
  const char* dst;
  const char* gateway;
  const char* words;
};
void PrintTo(const Refused& refused, std::ostream* stream) {
  *stream << refused.dst << " via " << refused.gateway;
}
class LearnedRoutesRefusal : public testing::TestWithParam<Refused> {};

TEST_P(LearnedRoutesRefusal, IsNamedAndTakesNothingAlong) {
  LearnedRoutes learned = make();
  learned.update({route(GetParam().dst, GetParam().gateway), route("10.10.1.0/24", b)}, 0);
  EXPECT_EQ(carried(learned), "B: 10.10.1.0/24");
  EXPECT_NE(problems(learned).find(GetParam().words), std::string::npos) << problems(learned);
}

INSTANTIATE_TEST_SUITE_P(
    , LearnedRoutesRefusal,
    testing::Values(Refused{"0.0.0.0/0", b, "0.0.0.0/0 in kernel table 169 (via 172.16.91.202) is the whole"},
                    Refused{"127.1.0.0/16", b, "(via 172.16.91.202) overlaps 127.0.0.0/8, which is loopback"},
                    Refused{"169.254.1.0/24", b, "overlaps 169.254.0.0/16, which is link-local"},
                    Refused{"224.0.1.0/24", b, "overlaps 224.0.0.0/4, which is multicast"},
                    Refused{"128.0.0.0/1", b, "overlaps 169.254.0.0/16"},
                    Refused{"ff05::/16", "fd00::3", "overlaps ff00::/8, which is multicast"},
                    Refused{"10.10.0.128/25", b, "overlaps 10.10.0.0/24, which is this node's"},
                    Refused{"10.0.0.0/8", b, "overlaps 10.10.0.0/24, which is this node's"},
                    Refused{"10.10.5.0/24", "172.16.91.201", "leads to this very node"},
                    Refused{"10.10.5.0/24", "", "has no single next hop"},
                    Refused{"10.10.5.0/24", "fd00::2", "next hop of the other family"},
                    Refused{"172.16.91.0/24", c, "contains 172.16.91.201, the address of a node"},
                    Refused{"172.16.92.0/24", c, "contains 172.16.92.203, the address of a node"}));

TEST(RoutesSettings, TableOfItsOwn) {
  using nlohmann::json;
  const auto refusal = [](const json& settings) -> std::string {
    try {
      (void)read_routes_settings(settings, "cluster.json");
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  EXPECT_EQ(read_routes_settings({{"type", "routes"}}, "").table, 169u);
  EXPECT_EQ(read_routes_settings({{"type", "routes"}, {"table", 7}, {"holdSeconds", 0}}, "").hold_seconds,
            0u);
  for (const int table : {253, 254, 255})
    EXPECT_NE(refusal({{"table", table}}).find("source.table: packets are looked up in table"),
              std::string::npos);
  EXPECT_NE(refusal({{"tablex", 7}}).find("source.tablex: unknown key"), std::string::npos);
  EXPECT_NE(refusal({{"holdSeconds", -1}}).find("source.holdSeconds"), std::string::npos);
}

// What a daemon keeps for itself says nothing about others.
TEST(LearnedRoutes, BlackholesAreBesideThePoint) {
  LearnedRoutes learned = make();
  netlink::Route own = route("10.10.0.0/24", "");
  own.type = RTN_BLACKHOLE;
  netlink::Route lost = route("10.10.7.0/24", "");
  lost.type = RTN_UNREACHABLE;
  learned.update({own, lost}, 0);
  EXPECT_EQ(problems(learned), "");
  EXPECT_TRUE(learned.empty());
}

}  // namespace
}  // namespace onlink::node
