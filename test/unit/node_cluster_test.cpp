// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/failure.h"
#include "node/cluster/cluster.h"

namespace onlink::node {
namespace {

std::string node_json(const std::string& name, const std::string& ip, const std::string& cidr,
                      const std::string& more = "") {
  return R"({"name":")" + name + R"(","nodeIP":")" + ip + R"(","podCIDRs":[")" + cidr + R"("])" + more + "}";
}

std::string list(const std::string& nodes, const std::string& rules = "") {
  return "{" + rules + R"("nodes":[)" + nodes + "]}";
}

const std::string a = node_json("A", "172.16.91.201", "10.10.0.0/24");
const std::string b = node_json("B", "172.16.91.202", "10.10.1.0/24");

Cluster parse(const std::string& text) { return parse_cluster(text, "cluster.json", "A"); }

std::string refusal(const std::string& text) {
  try {
    (void)parse(text);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

TEST(Cluster, FindsItselfAndKeepsTheOthers) {
  const Cluster cluster = parse(list(a + "," + b));
  EXPECT_EQ(cluster.self.name, "A");
  ASSERT_EQ(cluster.peers.size(), 1u);
  EXPECT_EQ(cluster.peers[0].name, "B");
  EXPECT_EQ(cluster.peers[0].ipv4->to_string(), "172.16.91.202");
  EXPECT_EQ(cluster.mode, IpipMode::cross_subnet);
  EXPECT_EQ(tunnel_address(cluster.self)->to_string(), "10.10.0.1");
}

struct Wrong {
  const char* name;
  std::string text;
  std::vector<std::string> words;  // the path and the reason, all of them in one message
};
void PrintTo(const Wrong& wrong, std::ostream* stream) { *stream << wrong.name; }

class ClusterProblems : public testing::TestWithParam<Wrong> {};

TEST_P(ClusterProblems, NamesPathAndReason) {
  const std::string message = refusal(GetParam().text);
  for (const std::string& words : GetParam().words)
    EXPECT_NE(message.find(words), std::string::npos) << "\"" << words << "\" is not in: " << message;
}

INSTANTIATE_TEST_SUITE_P(
    , ClusterProblems,
    testing::Values(
        Wrong{"NotJson", R"({"nodes":[)", {"cluster.json is not JSON"}},
        Wrong{"Array", "[]", {"must be an object"}}, Wrong{"Empty", list(""), {"nodes: is missing or empty"}},
        Wrong{"NoNodes", "{}", {"nodes: is missing or empty"}},
        Wrong{"SelfMissing", list(b), {"nodes: this node, \"A\", is not among them"}},
        Wrong{"BothModes",
              list(a, R"("ipipMode":"CrossSubnet","vxlanMode":"Always",)"),
              {"vxlanMode: is \"Always\" and ipipMode \"CrossSubnet\": one of the two must be Never"}},
        Wrong{"BothModesOfANode",
              list(node_json("A", "1.2.3.4", "10.10.0.0/24", R"(,"ipipMode":"Always","vxlanMode":"Always")")),
              {"nodes[0].vxlanMode: is \"Always\" and ipipMode \"Always\""}},
        Wrong{"VxlanPort", list(a, R"("vxlanPort":65536,)"), {"vxlanPort: "}},
        Wrong{"VxlanVni", list(a, R"("vxlanVNI":16777216,)"), {"vxlanVNI: "}},
        Wrong{"UnknownKey", list(a, R"("typo":1,)"), {"typo: unknown key"}},
        Wrong{"UnknownNodeKey",
              list(node_json("A", "1.2.3.4", "10.10.0.0/24", R"(,"ip":"x")")),
              {"nodes[0].ip: unknown key"}},
        Wrong{"HostBits",
              list(a + "," + node_json("B", "172.16.91.202", "10.10.1.7/24")),
              {"nodes[1].podCIDRs[0]: 10.10.1.7/24 has host bits set; the subnet is 10.10.1.0/24"}},
        Wrong{"NotASubnet",
              list(a + "," + node_json("B", "172.16.91.202", "10.10.1.0")),
              {"nodes[1].podCIDRs[0]: must be a subnet"}},
        Wrong{"Overlap",
              list(a + "," + b + "," + node_json("C", "172.16.91.203", "10.10.1.128/25")),
              {"nodes[2].podCIDRs[0]: 10.10.1.128/25 overlaps 10.10.1.0/24 of nodes[1] (\"B\")"}},
        Wrong{"OwnSubnet",
              list(a + "," + node_json("B", "172.16.91.202", "10.10.0.0/16")),
              {"nodes[1].podCIDRs[0]: 10.10.0.0/16 overlaps 10.10.0.0/24 of nodes[0] (\"A\"), which is this "
               "node"}},
        Wrong{"SameSubnet",
              list(a + "," + node_json("B", "172.16.91.202", "10.10.0.0/24")),
              {"overlaps", "which is this node"}},
        Wrong{"DuplicateIp",
              list(a + "," + node_json("B", "172.16.91.201", "10.10.1.0/24")),
              {"nodes[1].nodeIP: 172.16.91.201 is the address of nodes[0] (\"A\") too"}},
        Wrong{"DuplicateName",
              list(a + "," + node_json("A", "172.16.91.202", "10.10.1.0/24")),
              {"nodes[1].name: \"A\" is the name of nodes[0] too"}},
        Wrong{"NodeInsidePods",
              list(a + "," + node_json("B", "10.10.0.9", "10.10.1.0/24")),
              {"nodes[1].nodeIP: 10.10.0.9 lies in the pod subnet 10.10.0.0/24 of nodes[0] (\"A\")"}},
        Wrong{"NoIp",
              list(a + R"(,{"name":"B","podCIDRs":["10.10.1.0/24"]})"),
              {"nodes[1].nodeIP: is missing"}},
        Wrong{"EmptyIp",
              list(a + "," + node_json("B", "", "10.10.1.0/24")),
              {"nodes[1].nodeIP: must be an IP address"}},
        Wrong{"UnspecifiedIp",
              list(a + "," + node_json("B", "0.0.0.0", "10.10.1.0/24")),
              {"nodes[1].nodeIP: 0.0.0.0 is not the address of a host"}},
        Wrong{"WrongMode",
              list(a, R"("ipipMode":"Sometimes",)"),
              {"ipipMode: must be Always, CrossSubnet or Never, not \"Sometimes\""}},
        Wrong{
            "Ipv6ThroughIpip",
            list(
                a + R"(,{"name":"B","nodeIP":"172.16.91.202","nodeIPv6":"fd00::2","podCIDRs":["fd00:11::/64"]})",
                R"("ipipMode":"Always",)"),
            {"nodes[1].podCIDRs[0]: fd00:11::/64 cannot go through IPIP, which carries IPv4 only"}},
        Wrong{"Ipv6ModeAlways",
              list(a, R"("ipipModeIPv6":"Always",)"),
              {"ipipModeIPv6: IPIP carries IPv4 only"}},
        Wrong{"Ipv6WithoutAddress",
              list(a + "," + node_json("B", "172.16.91.202", "fd00:11::/64")),
              {"nodes[1].podCIDRs[0]: fd00:11::/64 needs nodeIPv6"}},
        Wrong{"TunnelAddressOutside",
              list(node_json("A", "172.16.91.201", "10.10.0.0/24", R"(,"tunnelAddress":"10.99.0.1")")),
              {"nodes[0].tunnelAddress: 10.99.0.1 is in no pod subnet of the node"}},
        Wrong{"NoTunnelAddress",
              list(node_json("A", "172.16.91.201", "10.10.0.0/32") + "," + b),
              {"needs a tunnelAddress"}},
        Wrong{"Prefix", list(a, R"("podInterfacePrefix":"onlink",)"), {"podInterfacePrefix: must be 1 to 4"}},
        Wrong{"PrefixOfEthernet",
              list(a, R"("podInterfacePrefix":"eth",)"),
              {"podInterfacePrefix: \"eth\" would also match interfaces that belong to no pod (eth...)"}},
        Wrong{"PrefixOfMany", list(a, R"("podInterfacePrefix":"e",)"), {"podInterfacePrefix: \"e\" would"}},
        Wrong{"PrefixOfOneSlot", list(a, R"("podInterfacePrefix":"enp3",)"), {"\"enp3\" would", "(en...)"}},
        Wrong{"PrefixOfLoopback", list(a, R"("podInterfacePrefix":"lo",)"), {"\"lo\" would"}},
        Wrong{"PrefixOfDocker", list(a, R"("podInterfacePrefix":"dock",)"), {"(docker...)"}},
        Wrong{"PrefixOfAnyVeth", list(a, R"("podInterfacePrefix":"veth",)"), {"(veth...)"}},
        Wrong{"KeyTwice",
              R"({"nodes":[)" + b + R"(],"nodes":[)" + a + "]}",
              {"cluster.json: key \"nodes\" occurs twice"}},
        Wrong{"KeyTwiceInANode",
              list(node_json("A", "1.2.3.4", "10.10.0.0/24", R"(,"nodeip":"1.2.3.5")")),
              {"key \"nodeip\" occurs twice"}},
        Wrong{"LoopbackSubnet",
              list(a + "," + node_json("B", "172.16.91.202", "127.5.0.0/16")),
              {"nodes[1].podCIDRs[0]: 127.5.0.0/16 cannot be a pod subnet: it overlaps 127.0.0.0/8, which is "
               "loopback"}},
        Wrong{"OwnMulticastSubnet",
              list(node_json("A", "172.16.91.201", "239.1.0.0/24")),
              {"nodes[0].podCIDRs[0]: 239.1.0.0/24 cannot be a pod subnet"}},
        Wrong{"WideSubnet", list(a + "," + node_json("B", "1.0.0.1", "192.0.0.0/2")), {"224.0.0.0/4"}},
        Wrong{"LinkLocalSubnet6",
              list(a + R"(,{"name":"B","nodeIPv6":"fd00::2","podCIDRs":["fe80:0:0:7::/64"]})"),
              {"fe80:0:0:7::/64 cannot be a pod subnet: it overlaps fe80::/10, which is link-local"}},
        Wrong{"LoopbackSubnet6",
              list(a + R"(,{"name":"B","nodeIPv6":"fd00::2","podCIDRs":["::1/128"]})"),
              {"it overlaps ::/8"}},
        Wrong{
            "TwoProblems",
            list(node_json("A", "x", "10.10.0.1/24")),
            {"nodes[0].nodeIP: must be an IP address", "nodes[0].podCIDRs[0]: 10.10.0.1/24 has host bits"}}),
    [](const auto& info) { return info.param.name; });

TEST(Cluster, NestedSubnetsAreFoundAcrossOthers) {
  const std::string text =
      list(a + "," + node_json("B", "1.0.0.1", "10.20.0.0/16") + "," +
           node_json("C", "1.0.0.2", "10.20.1.0/24") + "," + node_json("D", "1.0.0.3", "10.20.200.0/24"));
  const std::string message = refusal(text);
  EXPECT_NE(message.find("nodes[2].podCIDRs[0]"), std::string::npos) << message;
  EXPECT_NE(message.find("nodes[3].podCIDRs[0]"), std::string::npos) << message;
}

TEST(Cluster, IsTheSameAfterPrinting) {
  const std::string text = list(
      a + R"(,{"name":"B","nodeIP":"172.16.91.202","nodeIPv6":"fd00::2","podCIDRs":["10.10.1.0/24","fd00:11::/64"],)"
          R"("ipipMode":"Never","tunnelAddress":"10.10.1.9"})",
      R"("ipipMode":"Always","ipipModeIPv6":"Never","masquerade":false,"masqueradeExclude":["192.168.0.0/16"],)"
      R"("filter":false,"ipipSources":["10.1.0.0/16"],"podInterfacePrefix":"cal","resyncSeconds":5,)");
  const Cluster cluster = parse(text);
  EXPECT_EQ(parse(print_cluster(cluster)), cluster);
}

// As a routing daemon tells them: the last good list could not be read after a boot.
TEST(Cluster, ANodeWithVeryManySubnetsIsReadAgain) {
  Cluster cluster = parse_cluster(R"({"nodes": [
      {"name": "A", "nodeIP": "172.16.91.201", "podCIDRs": ["10.10.0.0/24"]},
      {"name": "B", "nodeIP": "172.16.91.202", "podCIDRs": []}]})",
                                  "test", "A");
  for (std::uint32_t i = 0; i < most_pod_cidrs; ++i)
    cluster.peers[0].pod_cidrs.push_back(
        *IpPrefix::parse(fmt::format("10.{}.{}.{}/30", 100 + (i >> 14), (i >> 6) & 255, (i & 63) * 4)));
  EXPECT_EQ(parse_cluster(print_cluster(cluster), "test", "A"), cluster);
}

TEST(Cluster, PrefixesOfOtherPluginsPodsAreAccepted) {
  for (const char* prefix : {"onl", "cali", "lxc", "pod", "o"})
    EXPECT_EQ(refusal(list(a, std::string(R"("podInterfacePrefix":")") + prefix + "\",")), "");
}

TEST(Cluster, VxlanModeAloneTurnsIpipOff) {
  const Cluster cluster =
      parse(list(a + "," + b, R"("vxlanMode":"CrossSubnet","vxlanPort":8472,"vxlanVNI":1,)"));
  EXPECT_EQ(cluster.encapsulation, Encapsulation::vxlan);
  EXPECT_EQ(cluster.mode, IpipMode::cross_subnet);
  EXPECT_EQ(cluster.vxlan_port, 8472);
  EXPECT_EQ(cluster.vxlan_vni, 1u);
  EXPECT_EQ(parse(print_cluster(cluster)), cluster);
  const Cluster ipip = parse(list(a + "," + b, R"("vxlanMode":"Never",)"));
  EXPECT_EQ(ipip.encapsulation, Encapsulation::ipip);
  EXPECT_EQ(ipip.mode, IpipMode::cross_subnet) << "its default stays";
}

TEST(Cluster, ANodeThatNamesVxlanUsesItWithEveryOther) {
  Cluster cluster = parse(list(a + "," + b));
  EXPECT_EQ(encapsulation_between(cluster, cluster.peers[0]), Encapsulation::ipip);
  cluster.peers[0].mode = IpipMode::always;
  cluster.peers[0].encapsulation = Encapsulation::vxlan;
  EXPECT_EQ(encapsulation_between(cluster, cluster.peers[0]), Encapsulation::vxlan);
  cluster.self.mode = IpipMode::always;  // of IPIP
  EXPECT_EQ(encapsulation_between(cluster, cluster.peers[0]), Encapsulation::vxlan);
  cluster.peers[0].mode = IpipMode::never;  // of VXLAN, which nobody has: it names nothing
  cluster.self.mode.reset();
  EXPECT_EQ(encapsulation_between(cluster, cluster.peers[0]), Encapsulation::ipip);
  EXPECT_EQ(mode_between(cluster, cluster.peers[0]), IpipMode::cross_subnet);
}

TEST(Cluster, MacsOfVxlanEndsFollowFromTheAddress) {
  EXPECT_EQ(vxlan_mac(*IpAddress::parse("172.16.91.202")).to_string(), "02:6f:ac:10:5b:ca");
  const MacAddress one = vxlan_mac(*IpAddress::parse("fd00::1"));
  EXPECT_EQ(one.bytes[0], 0x06);
  EXPECT_NE(one, vxlan_mac(*IpAddress::parse("fd00::2")));
  EXPECT_NE(one, vxlan_mac(*IpAddress::parse("fd00:1::1")));
}

TEST(Cluster, VxlanNeedsNoNodeAddressOfThePodsFamily) {
  const std::string dual = R"({"name":"A","nodeIP":"172.16.91.201","podCIDRs":["10.10.0.0/24","fd00::/64"]})";
  EXPECT_NE(refusal(list(dual)).find("needs nodeIPv6"), std::string::npos);
  EXPECT_EQ(refusal(list(dual, R"("vxlanMode":"Always",)")), "");
}

TEST(Cluster, TwoNodesSeeTheSameModeBetweenThem) {
  const IpipMode modes[] = {IpipMode::never, IpipMode::cross_subnet, IpipMode::always};
  std::vector<std::optional<IpipMode>> choices{std::nullopt};
  choices.insert(choices.end(), std::begin(modes), std::end(modes));
  for (const IpipMode common : modes)
    for (const auto& one : choices)
      for (const auto& other : choices) {
        for (unsigned bits = 0; bits < 8; ++bits) {  // who means VXLAN
          const auto chosen = [&](unsigned bit) {
            return (bits & bit) != 0 ? Encapsulation::vxlan : Encapsulation::ipip;
          };
          Node first, second;
          first.mode = one;
          first.encapsulation = chosen(1);
          second.mode = other;
          second.encapsulation = chosen(2);
          Cluster here, there;
          here.mode = there.mode = common;
          here.encapsulation = there.encapsulation = chosen(4);
          here.self = first;
          here.peers = {second};
          there.self = second;
          there.peers = {first};
          EXPECT_EQ(mode_between(here, second), mode_between(there, first));
          EXPECT_EQ(encapsulation_between(here, second), encapsulation_between(there, first));
        }
      }
}

}  // namespace
}  // namespace onlink::node
