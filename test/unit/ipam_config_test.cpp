// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <map>
#include <string>

#include "ipam/config.h"

#include "ipam_fixture.h"

namespace onlink::ipam {
namespace {

class ConfigTest : public IpamTest {
 protected:
  Config parse() { return parse_config(request("c")); }
  std::string problems() {
    try {
      (void)parse();
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind(), FailureKind::configuration);
      return failure.what();
    }
    return "none";
  }
  void ranges(const nlohmann::json& value) { ipam_["ranges"] = value; }
};

TEST_F(ConfigTest, DefaultsOfASubnetAreThoseOfHostLocal) {
  ranges({{{{"subnet", "10.1.2.0/24"}}}, {{{"subnet", "2001:db8::/64"}}}});
  const Config config = parse();
  ASSERT_EQ(config.range_sets.size(), 2u);
  EXPECT_EQ(config.range_sets[0].to_string(), "10.1.2.1-10.1.2.254");
  EXPECT_EQ(config.range_sets[0].ranges[0].gateway->to_string(), "10.1.2.1");
  EXPECT_EQ(config.range_sets[1].to_string(), "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff");
  EXPECT_EQ(config.range_sets[1].ranges[0].gateway->to_string(), "2001:db8::1");
  EXPECT_EQ(config.cooldown, std::chrono::seconds(60));
}

TEST_F(ConfigTest, SetsComeInTheOrderRuntimeOldFormRanges) {
  ipam_["subnet"] = "10.1.0.0/24";
  ipam_["rangeStart"] = "10.1.0.10";
  ipam_["rangeEnd"] = "10.1.0.20";
  ipam_["gateway"] = "10.1.0.99";
  ranges({{{{"subnet", "10.2.0.0/24"}}, {{"subnet", "10.3.0.0/24"}}}});
  more_["runtimeConfig"] = {{"ipRanges", {{{{"subnet", "10.4.0.0/24"}}}}}};
  const Config config = parse();
  ASSERT_EQ(config.range_sets.size(), 3u);
  EXPECT_EQ(config.range_sets[0].to_string(), "10.4.0.1-10.4.0.254");
  EXPECT_EQ(config.range_sets[1].to_string(), "10.1.0.10-10.1.0.20");
  EXPECT_EQ(config.range_sets[1].ranges[0].gateway->to_string(), "10.1.0.99");
  EXPECT_EQ(config.range_sets[2].to_string(), "10.2.0.1-10.2.0.254,10.3.0.1-10.3.0.254");
}

TEST_F(ConfigTest, UseAllAddressesOpensTheEdgesOfSubnets) {
  ipam_["useAllAddresses"] = true;
  ranges({{{{"subnet", "10.1.2.0/24"}}},
          {{{"subnet", "10.1.3.4/31"}}},
          {{{"subnet", "10.1.3.9/32"}}},
          {{{"subnet", "fd00::/127"}}},
          {{{"subnet", "fd00::9/128"}}}});
  const Config config = parse();
  EXPECT_EQ(config.range_sets[0].to_string(), "10.1.2.0-10.1.2.255");
  EXPECT_FALSE(config.range_sets[0].ranges[0].gateway);
  EXPECT_EQ(config.range_sets[1].to_string(), "10.1.3.4-10.1.3.5");
  EXPECT_EQ(config.range_sets[2].to_string(), "10.1.3.9-10.1.3.9");
  EXPECT_EQ(config.range_sets[3].to_string(), "fd00::-fd00::1");
  EXPECT_EQ(config.range_sets[4].to_string(), "fd00::9-fd00::9");
}

TEST_F(ConfigTest, EveryProblemIsToldWithItsPath) {
  ranges({{{{"subnet", "10.1.2.0/31"}}},
          {{{"subnet", "10.1.2.1/24"}}},
          {{{"subnet", "10.9.0.0/24"}, {"rangeStart", "10.9.1.1"}, {"gateway", "nonsense"}}},
          nlohmann::json::array(),
          {{{"rangeEnd", "10.9.1.1"}}}});
  ipam_["routes"] = {{{"gw", "10.1.2.1"}}};
  ipam_["exclude"] = {"10.1.2.0/99"};
  ipam_["cooldown"] = -1;
  ipam_["dataDir"] = "relative";
  more_["args"] = {{"cni", {{"ips", {"10.1.2.x"}}}}};
  const std::string told = problems();
  EXPECT_TRUE(has(told, "ipam.ranges[0][0].subnet: Network 10.1.2.0/31 too small to allocate from"));
  EXPECT_TRUE(has(told,
                  "ipam.ranges[1][0].subnet: Network has host bits set. For a subnet mask of length 24 the "
                  "network address is 10.1.2.0"));
  EXPECT_TRUE(has(told, "ipam.ranges[2][0].rangeStart: RangeStart 10.9.1.1 not in network 10.9.0.0/24"));
  EXPECT_TRUE(has(told, "ipam.ranges[2][0].gateway: must be an IP address"));
  EXPECT_TRUE(has(told, "ipam.ranges[3]: empty range set"));
  EXPECT_TRUE(has(told, "ipam.ranges[4][0].subnet: is missing"));
  EXPECT_TRUE(has(told, "ipam.routes[0].dst: is missing"));
  EXPECT_TRUE(has(told, "ipam.exclude: must be addresses and subnets"));
  EXPECT_TRUE(has(told, "ipam.cooldown: must be a whole number"));
  EXPECT_TRUE(has(told, "ipam.dataDir: must be an absolute path"));
  EXPECT_TRUE(has(told, "args.cni.ips: must be an IP address"));
}

TEST_F(ConfigTest, OverlapsAndMixedFamiliesAreProblems) {
  ranges({{{{"subnet", "10.1.0.0/22"}}, {{"subnet", "10.1.2.0/24"}}}});
  EXPECT_TRUE(has(problems(), "subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap"));
  ranges({{{{"subnet", "10.1.0.0/22"}}}, {{{"subnet", "10.1.2.0/24"}}}});
  EXPECT_TRUE(has(problems(), "range set 0 overlaps with 1"));
  ranges({{{{"subnet", "10.1.0.0/24"}}, {{"subnet", "fd00::/64"}}}});
  EXPECT_TRUE(has(problems(), "ipam.ranges[0]: mixed address families"));
  ranges({{{{"subnet", "10.1.0.0/24"}, {"rangeStart", "10.1.0.9"}, {"rangeEnd", "10.1.0.8"}}}});
  EXPECT_TRUE(
      has(problems(), "ipam.ranges[0][0].rangeEnd: the range 10.1.0.9-10.1.0.8 ends before it starts"));
}

TEST_F(ConfigTest, RangesThatNoPodCanUseAreProblems) {
  for (const auto& [subnet, block] : std::map<std::string, std::string>{{"127.0.0.0/8", "127.0.0.0/8"},
                                                                        {"127.8.0.0/16", "127.0.0.0/8"},
                                                                        {"126.0.0.0/7", "127.0.0.0/8"},
                                                                        {"0.0.0.0/24", "0.0.0.0/8"},
                                                                        {"224.0.0.0/24", "224.0.0.0/4"},
                                                                        {"239.1.0.0/16", "224.0.0.0/4"},
                                                                        {"::/64", "::/127"},
                                                                        {"fe80::/64", "fe80::/10"},
                                                                        {"ff02::/64", "ff00::/8"}}) {
    ranges({{{{"subnet", subnet}}}});
    const std::string told = problems();
    EXPECT_TRUE(has(told, "ipam.ranges[0][0].subnet: the range ")) << subnet;
    EXPECT_TRUE(has(told, " has addresses of " + block)) << subnet;
  }
  for (const char* subnet : {"240.0.0.0/4", "169.254.0.0/16", "100.64.0.0/10", "1.0.0.0/24", "fec0::/64"}) {
    ranges({{{{"subnet", subnet}}}});
    EXPECT_EQ(parse().range_sets.size(), 1u) << subnet;
  }
  ranges({{{{"subnet", "126.0.0.0/7"}, {"rangeEnd", "126.0.0.9"}}}});
  EXPECT_EQ(parse().range_sets.size(), 1u) << "it ends before";
}

TEST_F(ConfigTest, NoRangesAtAll) {
  EXPECT_TRUE(has(problems(), "no IP ranges specified"));
  auto call = request("c");
  call.config.erase("ipam");
  Problems found;
  (void)parse_config(call, found);
  ASSERT_EQ(found.list().size(), 1u);
  EXPECT_TRUE(has(found.list()[0], "IPAM config missing 'ipam' key"));
}

TEST_F(ConfigTest, OldVersionsHaveOneAddressOfEachFamily) {
  ranges({{{{"subnet", "10.1.0.0/24"}}}, {{{"subnet", "10.2.0.0/24"}}}});
  auto call = request("c");
  call.version = {0, 2, 0};
  try {
    (void)parse_config(call);
    ADD_FAILURE() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_TRUE(has(failure.what(), "CNI version 0.2.0 does not support more than 1 address per family"));
  }
  Problems found;
  (void)parse_config(call, found);
  EXPECT_EQ(found.list().size(), 1u);
  call.config["ipam"]["ranges"] = {{{{"subnet", "10.1.0.0/24"}}}, {{{"subnet", "fd00::/64"}}}};
  EXPECT_EQ(parse_config(call).range_sets.size(), 2u);
}

TEST_F(ConfigTest, RequestsComeFromThreePlacesWithAndWithoutPrefix) {
  ipam_["subnet"] = "10.1.0.0/24";
  more_["args"] = {{"cni", {{"ips", {"10.1.0.6/24", "10.1.0.5"}}}}};
  more_["runtimeConfig"] = {{"ips", {"fd00::7/64", "10.1.0.8"}}};
  auto call = request("c");
  call.args["IP"] = "10.1.0.5/24";
  std::string text;
  for (const IpAddress& address : parse_config(call).requested) text += address.to_string() + " ";
  EXPECT_EQ(text, "10.1.0.5 10.1.0.6 fd00::7 10.1.0.8 ");
}

TEST_F(ConfigTest, RoutesKeepAllTheirKeys) {
  ipam_["subnet"] = "10.1.0.0/24";
  ipam_["routes"] = {{{"dst", "0.0.0.0/0"}},
                     {{"dst", "fd01::/64"},
                      {"gw", "fd00::1"},
                      {"mtu", 1400},
                      {"advmss", 1360},
                      {"priority", 7},
                      {"table", 100},
                      {"scope", 253}}};
  const Config config = parse();
  ASSERT_EQ(config.routes.size(), 2u);
  EXPECT_EQ(config.routes[0], (cni::Route{*IpPrefix::parse("0.0.0.0/0"), {}, {}, {}, {}, {}, {}}));
  EXPECT_EQ(config.routes[1], (cni::Route{*IpPrefix::parse("fd01::/64"), IpAddress::parse("fd00::1"), 1400,
                                          1360, 7, 100, 253}));
}

TEST_F(ConfigTest, WhatIsTakenBackNeedsNoRanges) {
  ranges("nonsense");
  for (const auto command : {cni::Command::del, cni::Command::gc}) {
    const Config config = parse_config(request("c", command));
    EXPECT_EQ(config.data_dir, root_ + "/data");
    EXPECT_TRUE(config.range_sets.empty());
  }
}

}  // namespace
}  // namespace onlink::ipam
