// SPDX-License-Identifier: Apache-2.0
// A list of which a part is wrong, and one that suddenly lacks most of the nodes.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "node/cluster/merge.h"
#include "node/cluster/withdraw_guard.h"

namespace onlink::node {
namespace {

Node node(const std::string& name, const std::string& ip, const std::string& cidr) {
  Node node;
  node.name = name;
  if (!ip.empty()) node.ipv4 = IpAddress::parse(ip).value();
  if (!cidr.empty()) node.pod_cidrs = {IpPrefix::parse(cidr).value()};
  return node;
}
const Node a = node("A", "172.16.91.201", "10.10.0.0/24");
const Node b = node("B", "172.16.91.202", "10.10.1.0/24");
const Node c = node("C", "172.16.91.203", "10.10.2.0/24");

NodeList list_of(const std::vector<Node>& nodes) {
  NodeList list;
  for (const Node& one : nodes) list.nodes.push_back({"Node " + one.name, one});
  return list;
}
Nodes merge(const std::vector<Node>& nodes, const Cluster* before = nullptr, const Rules& rules = {}) {
  const NodeList list = list_of(nodes);
  Merger merger(rules, "A", before);
  merger.need(IpAddress::parse("172.16.92.100").value(), "the API");
  merger.add(list);
  return merger.finish();
}
Nodes merge(const NodeList& list, const Cluster* before) {
  Merger merger({}, "A", before);
  merger.add(list);
  return merger.finish();
}
std::vector<std::string> about_others(const Nodes& nodes) {
  std::vector<std::string> texts;
  for (const Problem& problem : nodes.problems)
    if (problem.subject == Subject::peer) texts.push_back(problem.text);
  return texts;
}
Cluster cluster_of(const std::vector<Node>& nodes) { return merge(nodes).cluster; }

struct Case {
  const char* name;
  Node wrong;         // what B has become
  std::string words;  // of the one problem
};
void PrintTo(const Case& one, std::ostream* stream) { *stream << one.name; }
class OneWrongNode : public testing::TestWithParam<Case> {};

TEST_P(OneWrongNode, IsLeftOutAndNamed) {
  const Nodes nodes = merge({a, GetParam().wrong, c});
  EXPECT_EQ(nodes.cluster.peers, std::vector{c});
  ASSERT_EQ(about_others(nodes).size(), 1u);
  EXPECT_NE(about_others(nodes)[0].find(GetParam().words), std::string::npos) << about_others(nodes)[0];
  EXPECT_NE(about_others(nodes)[0].find("it is left out"), std::string::npos) << about_others(nodes)[0];
  EXPECT_EQ(about_others(nodes).size(), nodes.problems.size()) << "this node is in order";
}

TEST_P(OneWrongNode, KeepsWhatItHad) {
  const Cluster before = cluster_of({a, b, c});
  const Nodes nodes = merge({a, GetParam().wrong, c}, &before);
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  EXPECT_EQ(nodes.kept, std::vector<std::string>{"B"});
  ASSERT_EQ(about_others(nodes).size(), 1u);
  EXPECT_NE(about_others(nodes)[0].find("its earlier entry stays in use"), std::string::npos)
      << about_others(nodes)[0];
  EXPECT_EQ(about_others(nodes).size(), nodes.problems.size()) << "this node is in order";
}

INSTANTIATE_TEST_SUITE_P(
    , OneWrongNode,
    testing::Values(
        Case{"NoAddress", node("B", "", "10.10.1.0/24"), "Node B: has no address"},
        Case{"AddressOfAnother", node("B", "172.16.91.201", "10.10.1.0/24"),
             "Node B.nodeIP: 172.16.91.201 is the address of Node A"},
        Case{"SubnetOfThisNode", node("B", "172.16.91.202", "10.10.0.0/25"),
             "10.10.0.0/24 of Node A (\"A\"), which is this node"},
        Case{"AddressInPods", node("B", "10.10.0.7", "10.10.1.0/24"), "routes to it would loop"},
        Case{"Everything", node("B", "172.16.91.202", "0.0.0.0/1"), "it overlaps 0.0.0.0/8"},
        Case{"Loopback", node("B", "172.16.91.202", "127.0.0.0/24"), "127.0.0.0/8, which is loopback"},
        Case{"GatewayOfPods", node("B", "172.16.91.202", "169.254.1.0/24"), "which is link-local"},
        Case{"ApiServer", node("B", "172.16.91.202", "172.16.92.96/27"),
             "contains 172.16.92.100, the address of the API"}),
    [](const auto& info) { return info.param.name; });

PlacedNode born(const Node& node, std::uint64_t created) {
  PlacedNode placed{"Node " + node.name, node};
  placed.created = created;
  return placed;
}

// The one whose list knew Z before went on with it, the one that was started later took the first by name.
TEST(Merge, TwoOwnersAreJudgedAlikeHoweverLongANodeHasBeenRunning) {
  const Node z = node("Z", "172.16.91.209", "10.10.1.0/24");
  struct Ages {
    std::uint64_t b, z;
    Node owner;
  };
  for (const auto& [of_b, of_z, owner] :
       {Ages{0, 0, b}, Ages{20260102, 20260102, b}, Ages{20260101, 20260102, b}, Ages{20260102, 20260101, z},
        Ages{0, 20260101, z}}) {
    NodeList list = list_of({a});
    list.nodes.push_back(born(b, of_b));
    list.nodes.push_back(born(z, of_z));
    const Node other = owner == b ? z : b;
    for (const Cluster& before : {cluster_of({a}), cluster_of({a, b}), cluster_of({a, z})}) {
      Merger merger({}, "A", &before);
      merger.add(list);
      const Nodes nodes = merger.finish();
      EXPECT_EQ(nodes.cluster.peers, std::vector{owner}) << of_b << " and " << of_z;
      ASSERT_EQ(about_others(nodes).size(), 1u);
      EXPECT_TRUE(about_others(nodes)[0].starts_with("Node " + other.name)) << about_others(nodes)[0];
      EXPECT_NE(about_others(nodes)[0].find("it is left out"), std::string::npos) << about_others(nodes)[0];
      EXPECT_FALSE(concerns_node(nodes.problems));
    }
  }
}

TEST(Merge, ThisNodeIsToldThatAnOlderOneHasItsSubnet) {
  const Node rival = node("Z", "172.16.91.209", "10.10.0.0/25");
  NodeList list;
  list.nodes = {born(a, 20260102), born(rival, 20260101), born(c, 20260101)};
  const auto merged = [&] {
    Merger merger({}, "A", nullptr);
    merger.add(list);
    return merger.finish();
  };
  Nodes nodes = merged();
  EXPECT_EQ(nodes.cluster.self, a) << "its pods are here";
  EXPECT_EQ(nodes.cluster.peers, std::vector{c});
  ASSERT_TRUE(concerns_node(nodes.problems));
  EXPECT_EQ(nodes.problems.front().text,
            "Node A.podCIDRs[0]: 10.10.0.0/24 overlaps 10.10.0.0/25 of Node Z (\"Z\"); "
            "the other nodes refuse this node's entry");
  EXPECT_EQ(about_others(nodes).size(), 1u);
  list.nodes[0].created = 20251231;
  nodes = merged();
  EXPECT_FALSE(concerns_node(nodes.problems));
  EXPECT_EQ(about_others(nodes).size(), 1u);
}

// Y has this node's subnet and C's. Elsewhere Y is right, and C is not; here C was.
TEST(Merge, WhoLosesElsewhereLosesHere) {
  NodeList list;
  list.nodes = {born(a, 20260102), born(node("Y", "172.16.91.209", "10.10.0.0/22"), 20260101),
                born(c, 20260103)};
  Merger merger({}, "A", nullptr);
  merger.add(list);
  const Nodes nodes = merger.finish();
  EXPECT_EQ(nodes.cluster.self, a);
  EXPECT_TRUE(nodes.cluster.peers.empty());
}

// Older than the nodes in it, it made all of them lose their routes.
TEST(Merge, ASubnetWithTwoNodesInItIsWrongHoweverOldItIs) {
  const Node wide = node("W", "172.16.92.7", "192.168.7.0/24");
  const Node d = node("D", "192.168.7.4", "10.10.4.0/24"), e = node("E", "192.168.7.5", "10.10.5.0/24");
  NodeList list = list_of({a});
  list.nodes.push_back(born(wide, 20200101));
  for (const Node& one : {d, e}) list.nodes.push_back(born(one, 20260101));
  Nodes nodes = merge(list, nullptr);
  EXPECT_EQ(nodes.cluster.peers, (std::vector{d, e}));
  ASSERT_EQ(about_others(nodes).size(), 1u);
  EXPECT_EQ(about_others(nodes)[0],
            "Node W.podCIDRs[0]: 192.168.7.0/24 contains addresses of other nodes, 192.168.7.4 and "
            "192.168.7.5: routes to them would loop; it is left out");
  list.nodes.pop_back();  // one address may be the wrong one
  nodes = merge(list, nullptr);
  EXPECT_EQ(nodes.cluster.peers, std::vector{wide});
}

// Each looked at all addresses in its subnet: for as many, longer than any test may take.
TEST(Merge, ManyNodesOfOneAddressInOneSubnetComeToAnEnd) {
  NodeList list = list_of({a});
  for (int i = 0; i < 100'000; ++i)
    list.nodes.push_back(born(node("n" + std::to_string(i), "192.168.7.4", "192.168.7.0/24"), 20260101));
  EXPECT_TRUE(merge(list, nullptr).cluster.peers.empty());
}

TEST(Merge, ANameThatIsNoneIsRefused) {
  for (const std::string& name : {std::string("B\n[ok]"), std::string("B\033[31m"), std::string(254, 'b')}) {
    const Nodes nodes = merge({a, node(name, "172.16.91.202", "10.10.1.0/24"), c});
    EXPECT_EQ(nodes.cluster.peers, std::vector{c});
    ASSERT_EQ(about_others(nodes).size(), 1u);
    EXPECT_NE(about_others(nodes)[0].find(name.size() > 253 ? "longer than 253" : "must be printable"),
              std::string::npos);
  }
}

// Nodes come, go and contradict each other; four services, of two nodes, which started at different times, must never send
// one subnet to two nodes. What is only kept from earlier lists does not count.
TEST(Merge, ServicesDecideAlikeWheneverTheyStarted) {
  std::mt19937 random(17);
  const auto pick = [&](std::size_t below) { return random() % below; };
  const char* const subnets[] = {"10.10.0.0/22", "10.10.0.0/23", "10.10.0.0/24", "10.10.1.0/24",
                                 "10.10.2.0/24", "10.10.2.0/25", "10.10.3.0/24", "172.16.91.0/29"};
  const std::uint64_t ages[] = {0, 20260101, 20260102, 20260103};
  struct Service {
    std::string self;
    int start;
    std::optional<Cluster> before = {};
    std::set<std::string> kept = {};
  };
  for (int history = 0; history < 1000; ++history) {
    std::map<std::string, PlacedNode> api;
    std::vector<Service> services = {{"A", 0}, {"A", 10}, {"B", 0}, {"B", 15}};
    for (int step = 0; step < 20; ++step) {
      const std::string name(1, static_cast<char>('A' + pick(6)));
      if (pick(5) == 0) {
        api.erase(name);
      } else {
        const bool bare = pick(6) == 0;
        api[name] = born(node(name, pick(8) == 0 ? "" : "172.16.91." + std::to_string(1 + pick(9)),
                              bare ? "" : subnets[pick(std::size(subnets))]),
                         ages[pick(std::size(ages))]);
        api[name].unknown.addresses = true;
      }
      NodeList list;
      for (const auto& [each, placed] : api) list.nodes.push_back(placed);
      std::map<std::string, std::pair<IpPrefix, std::string>> owners;
      for (Service& service : services) {
        if (step < service.start || (!service.before && !api.contains(service.self))) continue;
        try {
          Merger merger({}, service.self, service.before ? &*service.before : nullptr);
          merger.add(list);
          const Nodes nodes = merger.finish();
          service.before = nodes.cluster;
          service.kept = {nodes.kept.begin(), nodes.kept.end()};
        } catch (const Failure&) {  // its own entry is wrong, and it has no earlier one
          continue;
        }
        for (const Node& peer : service.before->peers) {
          if (service.kept.contains(peer.name) || !api.at(peer.name).node.ipv4) continue;
          for (const IpPrefix& cidr : peer.pod_cidrs) {
            for (const auto& [owner, entry] : owners)
              ASSERT_TRUE(owner == peer.name || !entry.first.overlaps(cidr))
                  << "history " << history << ", step " << step << ": " << service.self << " sends "
                  << cidr.to_string() << " to " << peer.name << ", " << entry.second << " sends "
                  << entry.first.to_string() << " to " << owner;
            owners[peer.name] = {cidr, service.self};
          }
        }
      }
    }
  }
}

TEST(Merge, TheSubnetOfANodeThatIsGoneMayBeUsedAgain) {
  const Cluster before = cluster_of({a, b});
  const Node wide = node("AA", "172.16.91.204", "10.10.0.0/16");  // sorted before B
  Nodes nodes = merge({a, wide, b, c}, &before);
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  const Node heir = node("D", "172.16.91.205", "10.10.1.0/24");
  nodes = merge({a, heir}, &before);
  EXPECT_EQ(nodes.cluster.peers, std::vector{heir});
  EXPECT_TRUE(nodes.problems.empty());
}

TEST(Merge, AnOldFormTakesNothingFromARightNode) {
  const Cluster before = cluster_of({a, b});
  const Node heir = node("D", "172.16.91.202", "10.10.7.0/24");
  const Nodes nodes = merge({a, node("B", "", "10.10.1.0/24"), heir}, &before);
  EXPECT_EQ(nodes.cluster.peers, std::vector{heir});
}

TEST(Merge, ThisNodeStaysWhenTheListDoesNotNameIt) {
  EXPECT_THROW(merge({b, c}), Failure);
  const Cluster before = cluster_of({a, b});
  const Nodes nodes = merge({b, c}, &before);
  EXPECT_EQ(nodes.cluster.self, a);
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  EXPECT_EQ(nodes.problems.size(), 1u);
}

TEST(Merge, ANodeWithoutAnythingIsNoProblem) {
  const Nodes nodes = merge({a, node("B", "", ""), c});
  EXPECT_EQ(nodes.cluster.peers, std::vector{c});
  EXPECT_TRUE(nodes.problems.empty());
}

NodeList with_unknown(Node wrong, PlacedNode::Unknown unknown) {
  NodeList list = list_of({a, c});
  list.nodes.push_back({"Node B", std::move(wrong), unknown});
  return list;
}

TEST(Merge, WhatIsUnknownStays) {
  Node tunnelled = b;
  tunnelled.mode = IpipMode::always;
  tunnelled.tunnel_address = IpAddress::parse("10.10.1.9");
  const Cluster before = cluster_of({a, tunnelled, c});
  // Its mode, tunnel address and subnets are not understood, and it has moved: only that counts.
  const Node moved = node("B", "172.16.91.222", "");
  Node expected = tunnelled;
  expected.ipv4 = moved.ipv4;
  const PlacedNode::Unknown everything{true, true, true, true};
  EXPECT_EQ(merge(with_unknown(moved, everything), &before).cluster.peers, (std::vector{expected, c}));
  // Its address is gone.
  Nodes nodes = merge(with_unknown(node("B", "", "10.10.1.0/24"), {.addresses = true}), &before);
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  ASSERT_EQ(about_others(nodes).size(), 1u);
  EXPECT_NE(about_others(nodes)[0].find("172.16.91.202 stays in use"), std::string::npos)
      << about_others(nodes)[0];
  // But not where another node has it now.
  NodeList list = with_unknown(node("B", "", "10.10.1.0/24"), {.addresses = true});
  const Node heir = node("D", "172.16.91.202", "10.10.7.0/24");
  list.nodes.push_back({"Node D", heir});
  EXPECT_EQ(merge(list, &before).cluster.peers, (std::vector{c, heir}));
}

TEST(Merge, SubnetsOfAFamilyWithoutAddressAreLeftOut) {
  Node dual = b;
  dual.pod_cidrs.push_back(IpPrefix::parse("fd00:11::/64").value());
  const Nodes nodes = merge({a, dual, c});
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  EXPECT_EQ(about_others(nodes).size(), 1u);
}

TEST(Merge, ThisNodeKeepsItsSubnetsWhileItIsRegisteredAnew) {
  const Cluster before = cluster_of({a, b});
  EXPECT_EQ(merge({node("A", "172.16.91.201", ""), b}, &before).cluster.self, a);
}

TEST(Merge, RulesThatDoNotFitRefuseTheList) {
  Rules rules;
  rules.mode = IpipMode::always;
  Node dual = b;
  dual.ipv6 = IpAddress::parse("fd00::2");
  dual.pod_cidrs.push_back(IpPrefix::parse("fd00:11::/64").value());
  EXPECT_EQ(merge({a, dual, c}, nullptr, rules).cluster.peers, std::vector{c}) << "no other node's problem";
  Node dual_a = a;
  dual_a.ipv6 = IpAddress::parse("fd00::1");
  dual_a.pod_cidrs.push_back(IpPrefix::parse("fd00:10::/64").value());
  EXPECT_THROW(merge({dual_a, dual}, nullptr, rules), Failure);
  rules.mode = IpipMode::cross_subnet;
  dual.mode = IpipMode::always;  // asked for by the node: its own problem
  EXPECT_EQ(merge({a, dual, c}, nullptr, rules).cluster.peers, std::vector{c});
}

TEST(Merge, KeepsThoseThatAreGone) {
  const Cluster before = cluster_of({a, b, c});
  const NodeList list = list_of({a, node("C", "172.16.91.203", "")});  // C has lost its pod subnet
  Merger merger({}, "A", &before);
  merger.add(list);
  EXPECT_EQ(merger.gone(), (std::set<std::string>{"B", "C"}));
  merger.keep(merger.gone());
  const Nodes nodes = merger.finish();
  EXPECT_EQ(nodes.cluster.peers, (std::vector{b, c}));
  EXPECT_EQ(nodes.kept, (std::vector<std::string>{"B", "C"}));
}

TEST(Merge, LetsThemGo) {
  const Cluster before = cluster_of({a, b, c});
  const Node bare = node("C", "172.16.91.203", "");
  EXPECT_EQ(merge({a, bare}, &before).cluster.peers, std::vector{bare});
}

TEST(WithdrawGuard, AsksForASecondReading) {
  WithdrawGuard guard;
  const std::set<std::string> four{"a", "b", "c", "d"};
  EXPECT_FALSE(guard.holds({"a", "b", "c"}, 3, 50, 1)) << "three may always go";
  EXPECT_FALSE(guard.holds(four, 8, 50, 1)) << "half of them";
  EXPECT_TRUE(guard.holds(four, 7, 50, 1));
  EXPECT_TRUE(guard.holds(four, 7, 50, 1)) << "the same reading again";
  EXPECT_TRUE(guard.waiting());
  EXPECT_FALSE(guard.holds(four, 7, 50, 2)) << "another reading";
  EXPECT_FALSE(guard.waiting());
}

TEST(WithdrawGuard, AnotherSetIsAnotherQuestion) {
  WithdrawGuard guard;
  EXPECT_TRUE(guard.holds({"a", "b", "c", "d"}, 7, 50, 1));
  EXPECT_TRUE(guard.holds({"a", "b", "c", "d", "e"}, 7, 50, 2)) << "the first named e";
  EXPECT_FALSE(guard.holds({"a", "b", "c", "e"}, 7, 50, 3))
      << "one has come back, the second agreed on the rest";
  EXPECT_TRUE(guard.holds({"a", "b", "c", "d"}, 7, 50, 3));
  EXPECT_FALSE(guard.holds({}, 7, 50, 4));
  EXPECT_TRUE(guard.holds({"a", "b", "c", "d"}, 7, 50, 5)) << "they were there meanwhile";
}

}  // namespace
}  // namespace onlink::node
