// SPDX-License-Identifier: Apache-2.0
// Thousands of random histories: nodes come, go, move and change mode; others take and give back
// destinations, remove or bend our routes; the list is incomplete at times. After every step the difference
// is applied to a model of a kernel's routing table, and the table must be what a few plain rules say, with
// no message more than needed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "netlink/route_key.h"
#include "node/routes/diff.h"
#include "test/unit/node_world.h"

namespace onlink::node {
namespace {

using namespace test;
using netlink::Route;

// What the kernel does with our messages: a key holds one route, adding to a taken key is refused, a deletion
// matches the protocol.
class ModelKernel {
 public:
  std::map<IpPrefix, Route> table;
  std::size_t messages = 0;

  void apply(const Changes& changes) {
    for (const Route& route : changes.add) {
      ++messages;
      ASSERT_TRUE(table.emplace(route.dst, route).second)
          << "added to a taken key: " << route.dst.to_string();
    }
    for (const Route& route : changes.replace) {
      ++messages;
      ASSERT_EQ(table.at(route.dst).protocol, netlink::onlink_protocol) << "replaced what is not ours";
      table[route.dst] = route;
    }
    for (const Route& route : changes.remove) {
      ++messages;
      ASSERT_EQ(table.at(route.dst).protocol, netlink::onlink_protocol) << "deleted what is not ours";
      table.erase(route.dst);
    }
  }
};

class History {
 public:
  explicit History(unsigned seed)
      : random_(seed), cluster_(seed_cluster(IpipMode::cross_subnet)), host_(seed_host()) {
    cluster_.peers.clear();
    // Routes of attachments and of others, which must outlive everything.
    Route pod = on_link(7);
    pod.dst = prefix("10.10.0.2/32");
    pod.protocol = netlink::onlink_protocol;
    pod.scope = RT_SCOPE_LINK;
    kernel_.table[pod.dst] = pod;
    foreign(prefix("192.0.2.0/24"));
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      happen();
      reconcile();
    }
  }

 private:
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  IpPrefix cidr(std::uint32_t number) {
    return {IpAddress::from_number(IpFamily::v4, (10u << 24) + (20u << 16) + (number << 8)), 24};
  }
  IpAddress address(std::uint32_t number) {
    return IpAddress::from_number(IpFamily::v4, (172u << 24) + (16u << 16) + (91u << 8) + number);
  }
  void foreign(const IpPrefix& dst) {
    Route route = via("172.16.91.99");
    route.dst = dst;
    route.protocol = RTPROT_BIRD;
    if (!kernel_.table.contains(dst)) kernel_.table[dst] = route;
  }

  void happen() {
    const std::uint32_t number = pick(8);
    const auto peer = std::find_if(cluster_.peers.begin(), cluster_.peers.end(),
                                   [&](const Node& node) { return node.pod_cidrs[0] == cidr(number); });
    const bool known = peer != cluster_.peers.end();
    complete_ = pick(6) != 0;
    switch (pick(9)) {
      case 0:
      case 1:  // a node comes, or one with the subnet of an earlier one under another address
        if (!known)
          cluster_.peers.push_back(
              {"n" + std::to_string(number), address(10 + pick(100)), {}, {cidr(number)}, {}, {}});
        break;
      case 2:
        if (known) cluster_.peers.erase(peer);
        break;
      case 3:
        if (known) peer->ipv4 = address(10 + pick(100));
        break;
      case 4:
        if (known) peer->mode = static_cast<IpipMode>(pick(3));
        break;
      case 5:  // the underlay changes
        unreachable_ = address(10 + pick(100));
        break;
      case 6:
        foreign(cidr(number));
        break;
      case 7:  // somebody gives back, or removes ours
        if (const auto found = kernel_.table.find(cidr(number)); found != kernel_.table.end())
          kernel_.table.erase(found);
        break;
      default:  // somebody bends ours
        if (const auto found = kernel_.table.find(cidr(number));
            found != kernel_.table.end() && found->second.protocol == netlink::onlink_protocol)
          found->second.gateway = address(250);
    }
  }

  void look() {
    host_.routes.clear();
    for (const auto& [dst, route] : kernel_.table)
      if (is_node_route(route)) host_.routes.push_back(normalised(route));
    std::sort(host_.routes.begin(), host_.routes.end(), netlink::key_before);
    host_.paths.clear();
    host_.paths = seed_host().paths;
    for (const Node& peer : cluster_.peers)
      set_path(host_, peer.ipv4->to_string(),
               *peer.ipv4 == unreachable_ ? std::optional<Route>(via("172.16.91.1")) : on_link());
    host_.forwarding_v4 = true;
    host_.tunnel_addresses = {{3, prefix("10.10.0.1/32"), 0, 0}};
  }

  std::vector<std::optional<Route>> holders(const std::vector<Route>& wanted) {
    std::vector<std::optional<Route>> found(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (const auto holder = kernel_.table.find(wanted[i].dst); holder != kernel_.table.end())
        found[i] = holder->second;
    return found;
  }

  void reconcile() {
    look();
    const auto before = kernel_.table;
    Changes changes = diff(desired(cluster_, host_), host_, {{}, complete_});
    set_apart(host_, changes.add, holders(changes.add), changes.conflicts);
    set_apart(host_, changes.replace, holders(changes.replace), changes.conflicts);
    kernel_.messages = 0;
    kernel_.apply(changes);
    if (testing::Test::HasFatalFailure()) return;
    compare(before);
    std::size_t differing = 0;
    for (const auto& [dst, route] : kernel_.table)
      if (const auto old = before.find(dst); old == before.end() || old->second != route) ++differing;
    for (const auto& [dst, route] : before)
      if (!kernel_.table.contains(dst)) ++differing;
    ASSERT_EQ(kernel_.messages, differing) << "not the least number of messages";
    look();
    Changes again = diff(desired(cluster_, host_), host_, {{}, complete_});
    set_apart(host_, again.add, holders(again.add), again.conflicts);
    set_apart(host_, again.replace, holders(again.replace), again.conflicts);
    ASSERT_TRUE(again.add.empty() && again.replace.empty() && again.remove.empty())
        << "a second pass has work";
  }

  // The plain rules.
  void compare(const std::map<IpPrefix, Route>& before) {
    for (const auto& [dst, route] : before)
      if (!is_node_route(route)) {
        ASSERT_EQ(kernel_.table.at(dst), route) << "a route of others changed";
      }
    std::map<IpPrefix, const Node*> announced;
    for (const Node& peer : cluster_.peers) announced[peer.pod_cidrs[0]] = &peer;
    for (const auto& [dst, peer] : announced) check(dst, *peer);
    for (const auto& [dst, route] : kernel_.table) {
      if (!is_node_route(route) || announced.contains(dst) || route.type == RTN_BLACKHOLE) continue;
      ASSERT_FALSE(complete_) << dst.to_string() << " belongs to no node";
      ASSERT_TRUE(before.contains(dst));
    }
    ASSERT_EQ(kernel_.table.at(prefix("10.10.0.0/24")).type, RTN_BLACKHOLE);
  }

  void check(const IpPrefix& dst, const Node& peer) {
    const auto found = kernel_.table.find(dst);
    const bool far = *peer.ipv4 == unreachable_;
    const IpipMode mode = peer.mode.value_or(IpipMode::cross_subnet);
    if (found != kernel_.table.end() && !is_node_route(found->second)) return;  // held by others
    if (far && mode == IpipMode::never) {
      if (complete_) {
        ASSERT_TRUE(found == kernel_.table.end()) << "a direct route to a peer that is not on-link";
      }
      return;
    }
    ASSERT_TRUE(found != kernel_.table.end()) << dst.to_string() << " is missing";
    ASSERT_EQ(*found->second.gateway, *peer.ipv4);
    const bool tunnel = mode == IpipMode::always || (far && mode == IpipMode::cross_subnet);
    ASSERT_EQ(found->second.link, tunnel ? 3u : 2u);
    ASSERT_EQ(found->second.onlink, tunnel);
    ASSERT_EQ(found->second.source.has_value(), tunnel);
  }

  std::minstd_rand random_;
  Cluster cluster_;
  Host host_;
  ModelKernel kernel_;
  std::optional<IpAddress> unreachable_;
  bool complete_ = true;
};

TEST(Diff, BringsAModelKernelInOrderThroughRandomHistories) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    History(seed).run(40);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace onlink::node
