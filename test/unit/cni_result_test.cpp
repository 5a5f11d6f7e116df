// SPDX-License-Identifier: Apache-2.0
#include "cni/result.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "base/failure.h"
#include "base/json_reader.h"

namespace onlink::cni {

void PrintTo(const Version& version, std::ostream* stream) { *stream << version.to_string(); }

namespace {

using nlohmann::json;

IpPrefix prefix(const char* text) { return IpPrefix::parse(text).value(); }
IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

// Everything that a result can hold.
Result full_result() {
  Result result;
  result.interfaces = {
      {"onl1", "ee:ee:ee:ee:ee:ee", "", 1480, "", ""},
      {"eth0", "0a:58:0a:0a:00:02", "/run/netns/a", 1480, "/run/vhost.sock", "0000:03:00.1"}};
  result.ips = {{prefix("10.10.0.2/32"), address("169.254.1.1"), 1},
                {prefix("10.10.0.3/32"), std::nullopt, 1},
                {prefix("fd00::2/128"), address("fe80::1"), 1}};
  result.routes = {{prefix("0.0.0.0/0"), address("169.254.1.1"), 1400, 1360, 100, 0, 0},
                   {prefix("::/0"), address("fe80::1"), {}, {}, {}, 254, 253},
                   {prefix("10.96.0.0/12"), {}, {}, {}, {}, {}, {}}};
  result.dns = {{"10.96.0.10"}, "cluster.local", {"svc.cluster.local"}, {"ndots:5"}};
  return result;
}

constexpr const char* dns_text = R"("dns": {"nameservers": ["10.96.0.10"], "domain": "cluster.local",
    "search": ["svc.cluster.local"], "options": ["ndots:5"]})";
constexpr const char* routes_text = R"("routes": [
    {"dst": "0.0.0.0/0", "gw": "169.254.1.1", "mtu": 1400, "advmss": 1360, "priority": 100, "table": 0, "scope": 0},
    {"dst": "::/0", "gw": "fe80::1", "table": 254, "scope": 253},
    {"dst": "10.96.0.0/12"}])";

std::string golden(const std::string& version) {
  const std::string head = R"({"cniVersion": ")" + version + "\", " + dns_text + ", ";
  if (version < "0.3.0")
    return head + R"("ip4": {"ip": "10.10.0.2/32", "gateway": "169.254.1.1",
        "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}, {"dst": "10.96.0.0/12"}]},
        "ip6": {"ip": "fd00::2/128", "gateway": "fe80::1", "routes": [{"dst": "::/0", "gw": "fe80::1"}]}})";
  if (version < "1.0.0")
    return head + routes_text + R"(, "interfaces": [{"name": "onl1", "mac": "ee:ee:ee:ee:ee:ee"},
        {"name": "eth0", "mac": "0a:58:0a:0a:00:02", "sandbox": "/run/netns/a"}],
        "ips": [{"version": "4", "address": "10.10.0.2/32", "gateway": "169.254.1.1", "interface": 1},
                {"version": "4", "address": "10.10.0.3/32", "interface": 1},
                {"version": "6", "address": "fd00::2/128", "gateway": "fe80::1", "interface": 1}]})";
  return head + routes_text + R"(, "interfaces": [{"name": "onl1", "mac": "ee:ee:ee:ee:ee:ee", "mtu": 1480},
      {"name": "eth0", "mac": "0a:58:0a:0a:00:02", "sandbox": "/run/netns/a", "mtu": 1480,
       "socketPath": "/run/vhost.sock", "pciID": "0000:03:00.1"}],
      "ips": [{"address": "10.10.0.2/32", "gateway": "169.254.1.1", "interface": 1},
              {"address": "10.10.0.3/32", "interface": 1},
              {"address": "fd00::2/128", "gateway": "fe80::1", "interface": 1}]})";
}

class EveryVersion : public testing::TestWithParam<Version> {};
INSTANTIATE_TEST_SUITE_P(Cni, EveryVersion, testing::ValuesIn(supported_versions), [](const auto& param) {
  return std::to_string(param.param.major) + "_" + std::to_string(param.param.minor) + "_" +
         std::to_string(param.param.patch);
});

TEST_P(EveryVersion, HasItsForm) {
  EXPECT_EQ(to_json(full_result(), GetParam()), json::parse(golden(GetParam().to_string())));
}

TEST_P(EveryVersion, IsUnderstoodWhateverTheVersionOfTheConfiguration) {
  const json document = to_json(full_result(), GetParam());
  for (const Version& other : supported_versions) {
    const Result result = parse_result(document, other, "prevResult");
    EXPECT_EQ(to_json(result, GetParam()), document) << "beside " << other.to_string();
  }
}

TEST_P(EveryVersion, WithoutItsOwnVersionIsOfTheConfigurations) {
  json document = to_json(full_result(), GetParam());
  document.erase("cniVersion");
  EXPECT_EQ(to_json(parse_result(document, GetParam(), "x"), GetParam()), to_json(full_result(), GetParam()));
  document["cniVersion"] = "";
  EXPECT_EQ(to_json(parse_result(document, GetParam(), "x"), GetParam()), to_json(full_result(), GetParam()));
}

TEST_P(EveryVersion, OfAnEmptyResultHoldsNothingElse) {
  json expected{{"cniVersion", GetParam().to_string()}};
  if (GetParam() < Version{1, 0, 0}) expected["dns"] = json::object();
  EXPECT_EQ(to_json(Result(), GetParam()), expected);
  EXPECT_EQ(parse_result(expected, GetParam(), "x"), Result());
}

TEST(Result, NewestFormLosesNothing) {
  EXPECT_EQ(parse_result(to_json(full_result(), newest_version), oldest_version, "x"), full_result());
}

TEST(Result, OldFormDropsRoutesOfAFamilyWithoutAddress) {
  Result result = full_result();
  result.ips.resize(1);
  const json document = to_json(result, {0, 2, 0});
  EXPECT_FALSE(document.contains("ip6"));
  EXPECT_EQ(document["ip4"]["routes"].size(), 2u);
}

TEST(Result, ZeroAndEmptyAreAbsent) {
  const json document =
      json::parse(R"({"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "mtu": 0, "mac": ""}],
      "ips": [{"address": "10.0.0.1/24", "gateway": "", "interface": 0}],
      "routes": [{"dst": "0.0.0.0/0", "gw": "", "mtu": 0, "advmss": 0, "priority": 0}], "dns": {}})");
  const Result result = parse_result(document, newest_version, "prevResult");
  EXPECT_EQ(result.interfaces[0].mtu, std::nullopt);
  EXPECT_EQ(result.ips[0].gateway, std::nullopt);
  EXPECT_EQ(result.ips[0].interface, 0u);
  const Route plain{prefix("0.0.0.0/0"), {}, {}, {}, {}, {}, {}};
  EXPECT_EQ(result.routes[0], plain);
}

TEST(Result, IndexBesideNoInterfacesIsLeftOut) {
  const json document = json::parse(R"({"ips": [{"address": "10.0.0.1/24", "interface": 7}]})");
  EXPECT_EQ(parse_result(document, newest_version, "result").ips[0].interface, std::nullopt);
}

TEST(Result, EveryProblemIsNamedByItsPath) {
  const json document = json::parse(R"({"interfaces": [{"name": 5}],
      "ips": [{"address": "10.0.0.300/24"}, {}, {"address": "10.0.0.1/24", "interface": 1}],
      "routes": [{"gw": "here"}, {"dst": "10.0.0.0/8", "scope": 256}, 7], "dns": {"nameservers": "10.0.0.1"}})");
  try {
    (void)parse_result(document, newest_version, "prevResult");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::configuration);
    const std::string text = failure.what();
    EXPECT_EQ(text.rfind("prevResult: ", 0), 0u) << text;
    for (const char* path :
         {"interfaces[0].name: ", "ips[0].address: ", "ips[1].address: is missing",
          "ips[2].interface: must be an index into interfaces", "routes[0].dst: is missing",
          "routes[0].gw: ", "routes[1].scope: ", "routes[2]: ", "dns.nameservers: "})
      EXPECT_NE(text.find(path), std::string::npos) << path << " not in " << text;
  }
}

TEST(Result, UnusableDocumentsAreRefusedWithThePath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "must be an object"},
      {R"({"cniVersion": "9.0.0"})", "cniVersion: \"9.0.0\""},
      {R"({"cniVersion": 1})", "cniVersion: must be a string"},
      {R"({"cniVersion": "0.2.0", "ip4": {}})", "ip4.ip: is missing"},
      {R"({"cniVersion": "0.2.0", "ip6": {"ip": "10.0.0.1/8"}})", "ip6.ip: "},
      {R"({"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.1/8", "routes": [{}]}})",
       "ip4.routes[0].dst: is missing"},
      {R"({"ips": {}})", "ips: must be an array"},
      {R"({"interfaces": [{"name": "a", "mtu": -1}]})", "interfaces[0].mtu: "}};
  for (const auto& [document, path] : cases) {
    try {
      (void)parse_result(json::parse(document), newest_version, "prevResult");
      ADD_FAILURE() << document;
    } catch (const Failure& failure) {
      EXPECT_NE(std::string(failure.what()).find(path), std::string::npos) << failure.what();
    }
  }
}

TEST(Version, ParsesThreeNumbersAndNothingElse) {
  EXPECT_EQ(Version::parse("0.3.1"), (Version{0, 3, 1}));
  EXPECT_EQ(Version::parse("10.20.30").value().to_string(), "10.20.30");
  for (const char* text : {"", "1", "1.0", "1.0.", "1.0.0.", "1.0.0.0", " 1.0.0", "1.0.0 ", "v1.0.0",
                           "1.-1.0", "1..0", "1.0.99999999999", "a.b.c", "-1.0.0", "+1.0.0"})
    EXPECT_FALSE(Version::parse(text)) << text;
}

}  // namespace
}  // namespace onlink::cni
