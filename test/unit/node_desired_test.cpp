// SPDX-License-Identifier: Apache-2.0
#include "node/routes/desired.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/route_key.h"
#include "node/routes/diff.h"
#include "test/unit/node_world.h"

namespace onlink::node {
namespace {

using namespace test;

std::vector<std::string> planned(const Cluster& cluster, const Host& host, DiffRules rules = {}) {
  return commands(diff(desired(cluster, host), host, rules), host);
}
bool has(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}
std::string why(const Desired& wanted) { return wanted.paths.empty() ? "" : wanted.paths[0].why; }

TEST(Desired, Stage2IsADirectRoute) {
  const auto lines = planned(seed_cluster(IpipMode::never), seed_host());
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "sysctl -w net.ipv4.ip_forward=1", "ip route add blackhole 10.10.0.0/24 proto 169",
                       "ip route add 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"}));
}

TEST(Desired, Stage3GoesThroughTheTunnel) {
  const auto lines = planned(seed_cluster(IpipMode::always), seed_host());
  EXPECT_TRUE(has(lines, "ip addr add 10.10.0.1/32 dev tunl0"));
  EXPECT_TRUE(has(lines, "ip tunnel change tunl0 mode ipip pmtudisc"));
  EXPECT_TRUE(
      has(lines, "ip route add 10.10.1.0/24 via 172.16.91.202 dev tunl0 proto 169 src 10.10.0.1 onlink"));
}

// The other node's prefix is shorter than ours: it sends without the tunnel.
TEST(Desired, APeerForWhichWeAreOnLinkIsDroppedByAStrictInterface) {
  Host host = seed_host();
  set_path(host, peer_ip, via("172.16.91.1"));
  const std::uint32_t eth0 = host.path_to(*IpAddress::parse(peer_ip))->link;
  const auto obstacle = [&](IpipMode mode) { return desired(seed_cluster(mode), host).paths[0].obstacle; };
  host.strict.insert(eth0);
  EXPECT_EQ(obstacle(IpipMode::cross_subnet), "");
  host.near.emplace(eth0, *IpAddress::parse(peer_ip));
  EXPECT_TRUE(obstacle(IpipMode::cross_subnet).ends_with("sysctl -w net/ipv4/conf/eth0/rp_filter=2"));
  EXPECT_EQ(obstacle(IpipMode::always), "") << "it sends through the tunnel, too";
}

TEST(Desired, VxlanCarriesIpv6BetweenIpv4Nodes) {
  Cluster cluster = seed_cluster(IpipMode::cross_subnet);
  cluster.encapsulation = Encapsulation::vxlan;
  cluster.peers[0].pod_cidrs.push_back(prefix("fd00:10:1::/64"));
  cluster.self.pod_cidrs.push_back(prefix("fd00:10::/64"));
  const Desired wanted = desired(cluster, seed_host());
  ASSERT_EQ(wanted.paths.size(), 2u);
  EXPECT_EQ(wanted.paths[0].kind, PathKind::direct);
  EXPECT_EQ(wanted.paths[1].kind, PathKind::vxlan);
  EXPECT_EQ(wanted.paths[1].why, "it has no IPv6 address");
  EXPECT_EQ(wanted.pod_mtu, 1450u);
  ASSERT_EQ(wanted.vxlan_entries.fdb.size(), 1u);
  EXPECT_FALSE(wanted.tunnel);
  const auto lines = planned(cluster, seed_host());
  EXPECT_TRUE(
      has(lines, "bridge fdb replace 02:6f:ac:10:5b:ca dev vxlan.onlink dst 172.16.91.202 self permanent"));
}

// Of its two devices the one is IPIP's, the other VXLAN's: pods' packets may have to go through either.
TEST(Desired, BesideIpipTheSmallerMtuCounts) {
  Cluster cluster = seed_cluster(IpipMode::always);
  Node third = cluster.peers[0];
  third.name = "C";
  third.ipv4 = IpAddress::parse("172.16.91.203");
  third.pod_cidrs = {prefix("10.10.2.0/24")};
  third.mode = IpipMode::always;
  third.encapsulation = Encapsulation::vxlan;
  cluster.peers.push_back(third);
  const Desired wanted = desired(cluster, seed_host());
  EXPECT_EQ(wanted.tunnel->mtu, 1480u);
  EXPECT_EQ(wanted.vxlan->mtu, 1450u);
  EXPECT_EQ(wanted.pod_mtu, 1450u);
}

// Its device is not somebody else's of that name.
TEST(Desired, AForeignDeviceOfThatNameIsLeftAlone) {
  Cluster cluster = seed_cluster(IpipMode::always);
  cluster.encapsulation = Encapsulation::vxlan;
  Host host = seed_host();
  host.vxlan = netlink::Link{};
  host.vxlan->index = 9;
  host.vxlan->name = vxlan_name;
  host.vxlan->kind = "bridge";
  const Desired wanted = desired(cluster, host);
  EXPECT_EQ(wanted.paths[0].kind, PathKind::none);
  EXPECT_NE(why(wanted).find("vxlan.onlink is of kind \"bridge\", not vxlan: left alone"), std::string::npos);
  for (const std::string& line : planned(cluster, host))
    EXPECT_EQ(line.find("vxlan"), std::string::npos) << line;
}

TEST(Desired, CrossSubnetAsksTheKernel) {
  Host host = seed_host();
  EXPECT_EQ(desired(seed_cluster(IpipMode::cross_subnet), host).paths[0].kind, PathKind::direct);
  set_path(host, peer_ip, via("172.16.91.1"));
  const Desired wanted = desired(seed_cluster(IpipMode::cross_subnet), host);
  EXPECT_EQ(wanted.paths[0].kind, PathKind::tunnel);
  EXPECT_EQ(why(wanted), "172.16.91.202 is not on-link (default via 172.16.91.1 dev eth0)");
  set_path(host, peer_ip, std::nullopt);  // not known (yet): tunnelled rather than cut off
  EXPECT_EQ(desired(seed_cluster(IpipMode::cross_subnet), host).paths[0].kind, PathKind::tunnel);
}

TEST(Desired, DirectModeNeverInventsAGateway) {
  Host host = seed_host();
  set_path(host, peer_ip, via("172.16.91.1"));
  const Desired wanted = desired(seed_cluster(IpipMode::never), host);
  EXPECT_EQ(wanted.paths[0].kind, PathKind::none);
  EXPECT_NE(why(wanted).find("is not on-link"), std::string::npos);
  EXPECT_EQ(wanted.routes.size(), 1u);  // the blackhole alone
}

TEST(Desired, AMissingModuleLeavesDirectRoutesWorking) {
  Host host = seed_host();
  host.tunnel.reset();
  host.ipip_missing = true;
  const Desired direct = desired(seed_cluster(IpipMode::cross_subnet), host);
  EXPECT_EQ(direct.paths[0].kind, PathKind::direct);
  EXPECT_TRUE(direct.problems.empty());  // nobody misses it
  const Desired wanted = desired(seed_cluster(IpipMode::always), host);
  EXPECT_EQ(wanted.paths[0].kind, PathKind::none);
  EXPECT_EQ(why(wanted), "ipipMode is Always; but this kernel has no ipip module");
  ASSERT_EQ(wanted.problems.size(), 1u);
}

TEST(Desired, APodThatHasTheTunnelsAddressKeepsIt) {
  Host host = seed_host();
  netlink::Route pod;
  pod.dst = prefix("10.10.0.1/32");
  pod.link = 2;
  set_path(host, "10.10.0.1", pod);
  const Desired wanted = desired(seed_cluster(IpipMode::always), host);
  EXPECT_FALSE(wanted.tunnel);
  ASSERT_EQ(wanted.problems.size(), 1u);
  EXPECT_EQ(wanted.problems[0].text, "no tunnel: its address 10.10.0.1 is a pod's (10.10.0.1/32 dev eth0)");
}

TEST(Desired, ADeviceOfAnotherKindIsLeftAlone) {
  Host host = seed_host();
  host.tunnel->kind = "gre";
  const Desired wanted = desired(seed_cluster(IpipMode::always), host);
  EXPECT_FALSE(wanted.tunnel);
  EXPECT_TRUE(planned(seed_cluster(IpipMode::always), host).size() == 2);  // forwarding and the blackhole
  EXPECT_NE(why(wanted).find("is of kind \"gre\", not ipip"), std::string::npos);
}

TEST(Desired, TheTunnelIsLeftAloneWhereNoPeerUsesIt) {
  const auto lines = planned(seed_cluster(IpipMode::never), seed_host());
  for (const std::string& line : lines) EXPECT_EQ(line.find("tunl0"), std::string::npos) << line;
}

TEST(Desired, MtuFollowsTheDeviceThatCarriesOurAddress) {
  Host host = seed_host();
  host.links[2].mtu = 9000;
  EXPECT_TRUE(has(planned(seed_cluster(IpipMode::always), host), "ip link set tunl0 mtu 8980"));
  EXPECT_EQ(desired(seed_cluster(IpipMode::always), host).pod_mtu, 8980u);
  EXPECT_EQ(desired(seed_cluster(IpipMode::never), host).pod_mtu, 9000u);
  host.paths[*IpAddress::parse(own_ip)].reset();  // our address is nowhere: nothing is guessed
  const Desired wanted = desired(seed_cluster(IpipMode::always), host);
  EXPECT_EQ(wanted.pod_mtu, 0u);
  EXPECT_EQ(wanted.tunnel->mtu, 0u);
  ASSERT_FALSE(wanted.problems.empty());
}

TEST(Desired, NoBlackholeForASingleAddress) {
  Cluster cluster = seed_cluster(IpipMode::never);
  cluster.self.pod_cidrs = {prefix("10.10.0.7/32")};
  for (const auto& route : desired(cluster, seed_host()).routes) EXPECT_NE(route.type, RTN_BLACKHOLE);
}

TEST(Desired, APeerWithOurOwnAddressGetsNoRoute) {
  Cluster cluster = seed_cluster(IpipMode::always);
  cluster.peers[0].ipv4 = IpAddress::parse("172.16.91.77");
  Host host = seed_host();
  netlink::Route local = on_link();
  local.type = RTN_LOCAL;
  set_path(host, "172.16.91.77", local);
  EXPECT_EQ(desired(cluster, host).paths[0].kind, PathKind::none);
}

TEST(Diff, KnowsWhatTheKernelReadsBackDifferently) {
  Cluster cluster = seed_cluster(IpipMode::never);
  cluster.self.pod_cidrs.push_back(prefix("fd00:10::/64"));
  cluster.self.ipv6 = IpAddress::parse("fd00:172::201");
  cluster.peers[0].pod_cidrs.push_back(prefix("fd00:11::/64"));
  cluster.peers[0].ipv6 = IpAddress::parse("fd00:172::202");
  Host host = seed_host();
  set_path(host, "fd00:172::202", on_link());
  for (netlink::Route route : desired(cluster, host).routes) {
    if (!route.dst.address.is_v4()) {
      route.priority = 1024;                            // what we gave as 0
      if (route.type == RTN_BLACKHOLE) route.link = 1;  // lo
    }
    host.routes.push_back(normalised(route));
  }
  host.forwarding_v4 = host.forwarding_v6 = true;
  EXPECT_TRUE(planned(cluster, host).empty());
}

TEST(Diff, ForeignRoutesAreNotOurs) {
  netlink::Route route = on_link();
  route.dst = prefix("10.10.0.2/32");
  route.protocol = netlink::onlink_protocol;
  route.scope = RT_SCOPE_LINK;
  EXPECT_FALSE(is_node_route(route)) << "the route of an attachment";
  route.gateway = IpAddress::parse("172.16.91.202");
  EXPECT_TRUE(is_node_route(route));
  for (const int protocol : {RTPROT_BIRD, RTPROT_STATIC, RTPROT_BOOT, RTPROT_KERNEL, 80}) {
    route.protocol = static_cast<std::uint8_t>(protocol);
    EXPECT_FALSE(is_node_route(route));
  }
}

TEST(Diff, OnlyOurOwnAddressLeavesTheTunnel) {
  Host host = seed_host();
  host.tunnel_addresses = {{3, prefix("10.10.0.1/32"), 0, 0}, {3, prefix("10.77.0.1/32"), 0, 0}};
  const auto lines = planned(seed_cluster(IpipMode::never), host, {{prefix("10.10.0.1/32")}, true});
  EXPECT_TRUE(has(lines, "ip addr del 10.10.0.1/32 dev tunl0"));
  EXPECT_FALSE(has(lines, "ip addr del 10.77.0.1/32 dev tunl0"));
}

TEST(Diff, AnIncompleteListWithdrawsNothing) {
  Host host = seed_host();
  netlink::Route stale = on_link();
  stale.dst = prefix("10.10.9.0/24");
  stale.gateway = IpAddress::parse("172.16.91.209");
  stale.protocol = netlink::onlink_protocol;
  host.routes = {stale};
  const Desired wanted = desired(seed_cluster(IpipMode::never), host);
  EXPECT_EQ(diff(wanted, host, {{}, false}).held.size(), 1u);
  EXPECT_TRUE(diff(wanted, host, {{}, false}).remove.empty());
  EXPECT_EQ(diff(wanted, host, {{}, true}).remove.size(), 1u);
}

// The kernel removes the routes that name it as source along with it.
TEST(Diff, AnIncompleteListTakesNoAddressFromATunnel) {
  Host host = seed_host();
  host.tunnel_addresses = {{3, prefix("10.10.0.1/32"), 0, 0}};
  Cluster cluster = seed_cluster(IpipMode::never);
  const auto removed = [&](bool complete) {
    const Changes changes = diff(desired(cluster, host), host, {{prefix("10.10.0.1/32")}, complete});
    return changes.tunnel.remove_addresses.size() + changes.vxlan.remove_addresses.size();
  };
  EXPECT_EQ(removed(false), 0u);
  EXPECT_EQ(removed(true), 1u);
  cluster = seed_cluster(IpipMode::always);
  cluster.encapsulation = Encapsulation::vxlan;
  host.tunnel_addresses.clear();
  const WantedVxlan wanted = desired(cluster, host).vxlan.value();
  host.vxlan = netlink::Link{};
  host.vxlan->index = 9;
  host.vxlan->name = vxlan_name;
  host.vxlan->kind = "vxlan";
  host.vxlan->vxlan = wanted.settings;
  host.vxlan->mac = wanted.mac;
  host.vxlan_addresses = {{9, prefix("10.10.9.1/32"), 0, 0}};
  EXPECT_EQ(removed(false), 0u);
  EXPECT_EQ(removed(true), 1u);
}

}  // namespace
}  // namespace onlink::node
