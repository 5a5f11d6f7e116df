// SPDX-License-Identifier: Apache-2.0
// What counts of the API's JSON, who we are there, and what a node tells about itself.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "node/sources/kubernetes/access.h"
#include "node/sources/kubernetes/condition.h"
#include "node/sources/kubernetes/conflist.h"
#include "node/sources/kubernetes/http_client.h"
#include "node/sources/kubernetes/node.h"

namespace onlink::node {
namespace {

using nlohmann::json;

NodeEvent event_of(std::string_view line) { return parse_node_event(line, "n1"); }
NodePage page_of(std::string_view body) { return parse_node_page(body, "n1"); }

// As an API server 1.20 sent it, shortened.
const char* const recorded_event =
    R"({"type":"MODIFIED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"0c6f8a35",)"
    R"("resourceVersion":"268","creationTimestamp":"2026-11-22T09:01:22Z","labels":{"kubernetes.io/os":"linux"},)"
    R"("annotations":{"node.alpha.kubernetes.io/ttl":"0","onlink.io/ipip-mode":"Always"},"managedFields":[{"manager":)"
    R"("kubelet","operation":"Update","fieldsV1":{"f:status":{"f:addresses":{".":{}}}}}]},"spec":{"podCIDR":)"
    R"("10.10.0.0/24","podCIDRs":["10.10.0.0/24","fd00:10::/64"],"taints":[{"key":"node.kubernetes.io/not-ready",)"
    R"("effect":"NoSchedule"}]},"status":{"capacity":{"cpu":"2","pods":"110"},"conditions":[{"type":"NetworkUnavailable",)"
    R"("status":"False","lastHeartbeatTime":"2026-11-22T09:02:00Z","reason":"OnlinkIsUp","message":"x"},{"type":"Ready",)"
    R"("status":"True","lastHeartbeatTime":"2026-11-22T09:02:10Z","reason":"KubeletReady"}],"addresses":[{"type":)"
    R"("Hostname","address":"n1"},{"type":"InternalIP","address":"172.16.91.201"},{"type":"InternalIP","address":)"
    R"("fd00::201"},{"type":"ExternalIP","address":"192.0.2.1"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":10250}},)"
    R"("nodeInfo":{"kubeletVersion":"v1.20.2"},"images":[{"names":["localhost/x:1"],"sizeBytes":1}]}}})";

TEST(KubernetesNodeJson, KeepsWhatCounts) {
  const NodeEvent event = event_of(recorded_event);
  EXPECT_EQ(event.kind, NodeEvent::Kind::changed);
  EXPECT_EQ(event.version, "268");
  const PlacedNode& placed = event.node.placed;
  EXPECT_EQ(placed.path, "Node n1");
  EXPECT_EQ(event.node.name(), "n1");
  EXPECT_TRUE(event.node.problems.empty());
  EXPECT_EQ(event.node.network, "False OnlinkIsUp");
  EXPECT_EQ(placed.node.ipv4->to_string(), "172.16.91.201");
  EXPECT_EQ(placed.node.ipv6->to_string(), "fd00::201");
  EXPECT_EQ(placed.node.pod_cidrs,
            (std::vector{IpPrefix::parse("10.10.0.0/24").value(), IpPrefix::parse("fd00:10::/64").value()}));
  EXPECT_EQ(placed.node.mode, IpipMode::always);
  EXPECT_EQ(placed.created, 20261122090122u);
}

TEST(KubernetesNodeJson, EventsAboutSomethingElseAreRefused) {
  const auto refusal = [](const std::string& line) -> std::string {
    try {
      (void)event_of(line);
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  EXPECT_EQ(
      refusal(R"({"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"B","resourceVersion":"6"}}})"),
      R"(a watch event "MODIFIED" is about an object of kind "Pod", not "Node")");
  for (const char* line :
       {R"({"type":"DELETED","object":{"kind":"Status","metadata":{"name":"B","resourceVersion":"6"}}})",
        R"({"type":"ADDED","object":{"metadata":{"name":"B","resourceVersion":"6"}}})",
        R"({"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"6"}}})",
        R"({"type":"BOOKMARK","object":{"kind":"Node","metadata":{}}})", R"({"type":"BOOKMARK"})"})
    EXPECT_NE(refusal(line).find("a watch event"), std::string::npos) << line;
}

TEST(KubernetesNodeJson, AKeyThatIsThereTwiceIsRefused) {
  const std::string twice =
      R"({"type":"ADDED","object":{"kind":"Node","metadata":{"name":"B","resourceVersion":"6","name":"C"}}})";
  EXPECT_THROW(event_of(twice), Failure);
  EXPECT_THROW(page_of(R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[],"items":null})"),
               Failure);
  // Each object has its own; of keys that are dropped it does not matter.
  EXPECT_EQ(
      page_of(
          R"({"kind":"NodeList","metadata":{"resourceVersion":"1","x":{"name":1},"x":3},)"
          R"("items":[{"metadata":{"name":"A"}},{"metadata":{"name":"B"},"spec":{"status":{"name":1}}}]})")
          .nodes.size(),
      2u);
}

// A log and a terminal would obey them.
TEST(KubernetesNodeJson, ShowsNothingRaw) {
  const std::string odd = "x\n[ok]\033[31m" + std::string(5000, 'y');
  const json node = {{"metadata",
                      {{"name", odd},
                       {"annotations",
                        {{"onlink.io/ipip-mode", odd},
                         {"onlink.io/vxlan-mode", odd},
                         {"onlink.io/node-ip", odd},
                         {"onlink.io/tunnel-address", odd}}}}},
                     {"spec", {{"podCIDR", odd}}},
                     {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", odd}}}}}}};
  const KubernetesNode read = parse_node_object(node.dump(), "n1");
  std::vector<std::string> problems = read.problems;
  problems.push_back(read.placed.path);
  problems.push_back(refusal_message(json({{"message", odd}}).dump()));
  problems.push_back(event_of(json({{"type", "ERROR"}, {"object", {{"message", odd}}}}).dump()).message);
  EXPECT_EQ(problems.size(), 9u);
  for (const std::string& problem : problems) {
    EXPECT_EQ(problem.find_first_of("\n\033"), std::string::npos) << problem;
    EXPECT_LT(problem.size(), 600u);
  }
}

// 600 MB for a line of 8 MB; and the library looked through the whole list after each Node of it.
TEST(KubernetesNodeJson, ALargeAnswerTakesNoTimeAndNoMemory) {
  const std::string deep(8'000'000, '[');
  const auto said = [](const auto& read) -> std::string {
    try {
      read();
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  for (const std::string& words : {said([&] { (void)event_of(R"({"type":"ADDED","object":)" + deep); }),
                                   said([&] { (void)page_of(R"({"items":)" + deep); })})
    EXPECT_NE(words.find("nested deeper than"), std::string::npos) << words;
  std::string page =
      R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"x"}})";
  for (int i = 1; i < 100'000; ++i) page += R"(,{"metadata":{"name":"x"}})";
  EXPECT_EQ(page_of(page + "]}").nodes.size(), 100'000u);
  EXPECT_THROW(page_of(page + R"(,{"metadata":{"name":"x"}}]})"), Failure);
}

TEST(KubernetesNodeJson, AHeartbeatIsTheSameNode) {
  json later = json::parse(recorded_event);
  later["object"]["metadata"]["resourceVersion"] = "999";
  later["object"]["status"]["conditions"][1]["lastHeartbeatTime"] = "2026-11-22T10:00:00Z";
  later["object"]["status"]["images"].push_back({{"sizeBytes", 2}});
  EXPECT_EQ(event_of(later.dump()).node, event_of(recorded_event).node);
}

TEST(KubernetesNodeJson, OtherEvents) {
  const auto bookmark = event_of(
      R"({"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"12746","creationTimestamp":null}}})");
  EXPECT_EQ(bookmark.kind, NodeEvent::Kind::bookmark);
  EXPECT_EQ(bookmark.version, "12746");
  const auto error = event_of(
      R"({"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version",)"
      R"("reason":"Expired","code":410}})");
  EXPECT_EQ(error.kind, NodeEvent::Kind::error);
  EXPECT_EQ(error.code, 410);
  EXPECT_EQ(refusal_message(R"({"kind":"Status","message":"nodes is forbidden","code":403})"),
            "nodes is forbidden");
  EXPECT_EQ(refusal_message("<html>\nno"), "<html>?no");
}

TEST(KubernetesNodeJson, RefusesWhatItIsNot) {
  for (const char* text :
       {"", "{", "[]", "null", "7", R"({"type":"ADDED"})", R"({"type":"ADDED","object":[]})",
        R"({"type":"X","object":{"metadata":{"name":"a","resourceVersion":"1"}}})",
        R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})",
        R"({"type":"ADDED","object":{"metadata":{"name":7,"resourceVersion":"1"}}})"})
    EXPECT_THROW(event_of(text), Failure) << text;
  for (const char* text :
       {"{}", R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":{}})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[7]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":{"a":{"metadata":{"name":"a"}}}})",
        R"({"kind":"NodeList","metadata":{},"items":[]})"})
    EXPECT_THROW(page_of(text), Failure) << text;
  EXPECT_TRUE(
      page_of(R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":null})").nodes.empty());
  // Every part of a real event, cut off or with a byte changed: an answer or a Failure, nothing else.
  const std::string whole = recorded_event;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_THROW(event_of(whole.substr(0, i)), Failure);
    std::string bent = whole;
    bent[i] = static_cast<char>(bent[i] ^ 0x15);
    try {
      (void)event_of(bent);
    } catch (const Failure&) {
      continue;
    }
  }
}

KubernetesNode annotated(const json& annotations, const char* cidr = "10.10.0.0/24") {
  const json node = {{"metadata", {{"name", "n1"}, {"annotations", annotations}}},
                     {"spec", {{"podCIDR", cidr}}},
                     {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "172.16.91.201"}}}}}}};
  return parse_node_object(node.dump(), "n1");
}

TEST(KubernetesNodeJson, AnnotationsOverride) {
  json annotations = {{"onlink.io/ipip-mode", "Never"},
                      {"onlink.io/node-ip", "192.0.2.9, fd00::9"},
                      {"onlink.io/tunnel-address", "10.10.0.7"}};
  const KubernetesNode read = annotated(annotations);
  EXPECT_TRUE(read.problems.empty());
  const Node& node = read.placed.node;
  EXPECT_EQ(node.ipv4->to_string(), "192.0.2.9");
  EXPECT_EQ(node.ipv6->to_string(), "fd00::9");
  EXPECT_EQ(node.mode, IpipMode::never);
  EXPECT_EQ(node.tunnel_address->to_string(), "10.10.0.7");

  annotations["onlink.io/vxlan-mode"] = "CrossSubnet";  // beside "Never" of the other
  const Node vxlan = annotated(annotations).placed.node;
  EXPECT_EQ(vxlan.mode, IpipMode::cross_subnet);
  EXPECT_EQ(vxlan.encapsulation, Encapsulation::vxlan);
  annotations["onlink.io/ipip-mode"] = "Always";
  const KubernetesNode both = annotated(annotations);
  EXPECT_TRUE(both.placed.unknown.mode) << "both: what it was stays";
  ASSERT_EQ(both.problems.size(), 1u);
  EXPECT_NE(
      both.problems[0].find("annotation onlink.io/vxlan-mode: is \"CrossSubnet\", and onlink.io/ipip-mode"),
      std::string::npos);

  const KubernetesNode wrong = annotated({{"onlink.io/ipip-mode", "never"},
                                          {"onlink.io/node-ip", "192.0.2.9,192.0.2.10"},
                                          {"onlink.io/tunnel-address", "fd00::1"}},
                                         "10.10.0.1/24");
  EXPECT_EQ(wrong.problems.size(), 4u);
  const auto& unknown = wrong.placed.unknown;
  EXPECT_TRUE(unknown.mode && unknown.tunnel_address && unknown.pod_cidrs);
  EXPECT_FALSE(wrong.placed.node.ipv4) << "unknown: what it was stays";
}

TEST(KubernetesNodeJson, OnlyTheApisFormOfATimeSaysHowOldANodeIs) {
  const auto created = [](const char* text) {
    const json node = {{"metadata", {{"name", "n1"}, {"creationTimestamp", text}}}};
    return parse_node_object(node.dump(), "n1").placed.created;
  };
  EXPECT_EQ(created("2026-11-22T09:01:22Z"), 20261122090122u);
  for (const char* text :
       {"", "0", "2026-11-22", "-026-11-22T09:01:22Z", "2026-11-22T09:01:22", "2026-11-22T09:01:22+01:00",
        "2026-11-22t09:01:22Z", "2026-11-2aT09:01:22Z", "2026-11-22T09:01:22Zx"})
    EXPECT_EQ(created(text), 0u) << text;
}

TEST(KubernetesNodeJson, TheConditionOfAnotherNodeIsNoNews) {
  json other = json::parse(recorded_event);
  other["object"]["status"]["conditions"][0]["status"] = "True";
  EXPECT_EQ(parse_node_event(other.dump(), "n2").node, parse_node_event(recorded_event, "n2").node);
  EXPECT_NE(parse_node_event(other.dump(), "n1").node, parse_node_event(recorded_event, "n1").node);
}

const char* const kubeconfig_text = R"(
apiVersion: v1
kind: Config
current-context: b
contexts:
- {name: a, context: {cluster: one, user: none}}
- name: b
  context:
    cluster: two
    user: certified
- {name: c, context: {cluster: two, user: command}}
- {name: d, context: {cluster: two, user: nobody}}
clusters:
- {name: one, cluster: {server: "https://192.0.2.1:6443/", certificate-authority-data: Q0E9}}
- {name: two, cluster: {server: "https://[fd00::1]:6443", insecure-skip-tls-verify: true}}
users:
- {name: none, user: {token: secret}}
- {name: certified, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZIQ==}}
- {name: command, user: {exec: {command: aws}}}
)";

HttpRequest with_context_named(const std::string& name) {
  std::string text = kubeconfig_text;
  text.replace(text.find("current-context: b"), 18, "current-context: " + name);
  return kubeconfig_request(text, "config", "/nowhere/");
}

TEST(Kubeconfig, TakesTheCurrentContext) {
  const HttpRequest a = with_context_named("a");
  EXPECT_EQ(a.url, "https://192.0.2.1:6443");
  EXPECT_EQ(a.authorities, "CA=");
  EXPECT_TRUE(a.verify);
  EXPECT_EQ(a.headers, std::vector<std::string>{"Authorization: Bearer secret"});
  const HttpRequest b = with_context_named("b");
  EXPECT_EQ(b.certificate, "CERT");
  EXPECT_EQ(b.key, "KEY!");
  EXPECT_FALSE(b.verify);
  EXPECT_TRUE(b.headers.empty());
}

TEST(Kubeconfig, SaysWhatItCannot) {
  const auto refusal = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  EXPECT_NE(refusal([] { with_context_named("c"); }).find("user.exec is not supported"), std::string::npos);
  EXPECT_NE(refusal([] { with_context_named("d"); }).find("users: there is no \"nobody\""),
            std::string::npos);
  EXPECT_NE(refusal([] { with_context_named("x"); }).find("contexts: there is no \"x\""), std::string::npos);
  // Not what has no authority: then anybody whom the system trusts could be the API.
  for (const char* odd :
       {"certificate-authority-data: [Q0E9]", "certificate-authority: {file: ca.crt}",
        "certificate-authority-data: ====", "certificate-authority-data: \"\\n\"",
        "certificate-authority-data: Q0E9, certificate-authority-data: Q0E9",
        "certificate-authority-data: Q0E9, insecure-skip-tls-verify: true",
        "certificate-authority-data: Q0E9, proxy-url: \"http://192.0.2.9\"",
        "certificate-authority-data: Q0E9, tls-server-name: other", "insecure-skip-tls-verify: perhaps"}) {
    std::string text = kubeconfig_text;
    text.replace(text.find("current-context: b"), 18, "current-context: a");
    text.replace(text.find("certificate-authority-data: Q0E9"), 32, odd);
    EXPECT_NE(refusal([&] { kubeconfig_request(text, "config", "/nowhere/"); }).find("config"),
              std::string::npos)
        << odd;
  }
  for (const char* text : {"", "7", "a: [", "- x", "contexts: 7", "current-context: [x]"})
    EXPECT_NE(refusal([&] { kubeconfig_request(text, "config", ""); }).find("config"), std::string::npos)
        << text;
  std::string twice = kubeconfig_text;
  twice.replace(twice.find("name: a,"), 8, "name: b,");
  EXPECT_NE(refusal([&] { kubeconfig_request(twice, "config", ""); }).find("there is more than one \"b\""),
            std::string::npos);
  // Acting as somebody else would need other rights than these.
  std::string impersonates = kubeconfig_text;
  impersonates.replace(impersonates.find("{client-cert"), 1, "{as: root, ");
  EXPECT_NE(refusal([&] { kubeconfig_request(impersonates, "config", ""); }).find("user.as is not"),
            std::string::npos);
  std::string with_password = kubeconfig_text;
  with_password.replace(with_password.find("https://["), 8, "https://user:secret@");
  const std::string words = refusal([&] { kubeconfig_request(with_password, "config", ""); });
  EXPECT_NE(words.find("cluster.server must be a URL"), std::string::npos) << words;
  EXPECT_EQ(words.find("secret"), std::string::npos) << words;
  EXPECT_NE(refusal([] { decode_base64("Zg==Zg==", "x"); }).find("is not base64"), std::string::npos);
  EXPECT_NE(refusal([] { decode_base64("Zm9v!", "x"); }).find("is not base64"), std::string::npos);
  EXPECT_NE(refusal([] { decode_base64("Zm9vY", "x"); }).find("is not base64"), std::string::npos);
}

TEST(Kubeconfig, ReadsRotatedFilesAnew) {
  const std::string folder = testing::TempDir() + "/kubeconfig/";
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder + name) << text;
  };
  write("config",
        "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, "
        "cluster: {server: 'https://192.0.2.1', certificate-authority: ca.crt}}], users: [{name: u, user: "
        "{tokenFile: token}}]}");
  write("ca.crt", "CA");
  write("token", "one\n");
  KubernetesConfig config;
  config.kubeconfig = folder + "config";
  EXPECT_EQ(api_request(config).headers[0], "Authorization: Bearer one");
  EXPECT_EQ(api_request(config).authorities, "CA");
  write("token", "two\n");
  EXPECT_EQ(api_request(config).headers[0], "Authorization: Bearer two");
  write("ca.crt", "");  // would be the system's authorities
  EXPECT_THROW(api_request(config), Failure);
  write("ca.crt", "CA");
  config.server = "https://192.0.2.2:1";
  EXPECT_EQ(api_request(config).url, "https://192.0.2.2:1");
  write("token", "two\r\nX-Header: forged");
  EXPECT_THROW(api_request(config), Failure);
  std::filesystem::remove(folder + "token");
  EXPECT_THROW(api_request(config), Failure);
  std::filesystem::remove_all(folder);
}

// They were passed over, and whoever the system trusts could have been the API.
TEST(HttpClient, AnOptionThatLibcurlRefusesIsAFailure) {
  HttpClient client;
  const auto refusal = [&](const HttpRequest& request) -> std::string {
    try {
      (void)client.start(
          request, [](std::string_view) { return true; }, [](const HttpAnswer&) {});
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  HttpRequest request;
  request.url = "https://192.0.2.1";
  const std::string too_long(9'000'000, 'x');
  request.authorities = too_long;
  EXPECT_NE(refusal(request).find("libcurl refuses the option CAINFO_BLOB"), std::string::npos)
      << refusal(request);
  request.authorities.clear();
  request.method = too_long;
  EXPECT_NE(refusal(request).find("libcurl refuses the option CUSTOMREQUEST"), std::string::npos)
      << refusal(request);
  request.method = "GET";
  EXPECT_EQ(refusal(request), "");
}

std::vector<IpPrefix> both_families() {
  return {IpPrefix::parse("10.10.0.0/24").value(), IpPrefix::parse("fd00:10::/64").value()};
}

TEST(Conflist, IsTheTemplateWithThePodSubnets) {
  const std::string text = render_conflist(
      R"({"name":"x","plugins":[{"type":"onlink","ipam":{"type":"onlink-ipam","ranges":[],"exclude":["10.10.0.9"]}},)"
      R"({"type":"portmap"}]})",
      "template", both_families());
  const json document = json::parse(text);
  EXPECT_EQ(document["plugins"][0]["ipam"]["ranges"],
            json::parse(R"([[{"subnet":"10.10.0.0/24"}],[{"subnet":"fd00:10::/64"}]])"));
  EXPECT_EQ(document["plugins"][0]["ipam"]["exclude"][0], "10.10.0.9");
  EXPECT_LT(text.find("\"name\""), text.find("\"plugins\"")) << "the order is the template's";
  for (const char* wrong : {"", "[]", "{}", R"({"plugins":{}})", R"({"plugins":[7,{"ipam":[]}]})",
                            R"({"plugins":[{"ipam":{"ranges":[[{"subnet":"10.0.0.0/8"}]]}}]})"})
    EXPECT_THROW(render_conflist(wrong, "template", both_families()), Failure) << wrong;
}

TEST(Conflist, ComesAndGoes) {
  Directories directories;
  directories.state = testing::TempDir() + "/conflist-state";
  const std::string path = testing::TempDir() + "/10-onlink.conflist";
  EXPECT_EQ(remove_conflist(directories), "");
  EXPECT_TRUE(publish_conflist(directories, path, "one"));
  EXPECT_FALSE(publish_conflist(directories, path, "one"));
  EXPECT_TRUE(publish_conflist(directories, path, "two"));
  EXPECT_EQ(remove_conflist(directories), path);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(remove_conflist(directories), "");
  std::filesystem::remove_all(directories.state);
}

TEST(NetworkCondition, IsOnePatchOfOneCondition) {
  HttpRequest request;
  request.url = "https://192.0.2.1";
  set_condition(request, "n1", {false, "fine"}, 0);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.url, "https://192.0.2.1/api/v1/nodes/n1/status");
  const json body = json::parse(request.body);
  ASSERT_EQ(body["status"]["conditions"].size(), 1u);
  const json& condition = body["status"]["conditions"][0];
  EXPECT_EQ(condition["type"], "NetworkUnavailable");
  EXPECT_EQ(condition["status"], "False");
  EXPECT_EQ(condition["lastTransitionTime"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(NetworkCondition{}.text(), "False OnlinkIsUp");
  EXPECT_TRUE(is_our_condition("False OnlinkIsUp"));
  EXPECT_TRUE(is_our_condition("True OnlinkIsNotReady"));
  EXPECT_FALSE(is_our_condition("True NoRouteCreated"));
  EXPECT_FALSE(is_our_condition(""));
}

TEST(KubernetesNodeJson, SaysWhichWordOfANodeIsNoText) {
  const NodePage page = page_of(R"({"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[
    {"metadata":{"name":"odd","annotations":{"onlink.io/ipip-mode":1.5,"onlink.io/node-ip":["10.0.0.1"]}},
     "spec":{"podCIDRs":[7,"10.10.1.0/24",null,{"address":[[]]}]},"status":{"addresses":[{"type":"InternalIP"}]}},
    {"metadata":{"name":"single"},"spec":{"podCIDR":true}},
    {"metadata":{"name":"good"},"spec":{"podCIDRs":null,"podCIDR":"10.10.2.0/24"}}]})");
  ASSERT_EQ(page.nodes.size(), 3u);
  EXPECT_TRUE(page.nodes[0].placed.unknown.pod_cidrs);
  const std::vector<std::string> expected = {
      R"(Node odd: InternalIP "null" is not an IP address)",
      R"(Node odd: annotation onlink.io/node-ip: must be an IPv4 address, an IPv6 address, or both with a comma between, not "an array")",
      R"(Node odd: podCIDR "7" is not a subnet)",
      R"(Node odd: podCIDR "null" is not a subnet)",
      R"(Node odd: podCIDR "an object" is not a subnet)",
      R"(Node odd: annotation onlink.io/ipip-mode: must be Always, CrossSubnet or Never, not "1.5")"};
  EXPECT_EQ(page.nodes[0].problems, expected);
  EXPECT_EQ(page.nodes[1].problems,
            std::vector<std::string>{R"(Node single: podCIDR "true" is not a subnet)"});
  EXPECT_TRUE(page.nodes[2].problems.empty());
  EXPECT_EQ(page.nodes[2].placed.node.pod_cidrs.size(), 1u);
}

}  // namespace
}  // namespace onlink::node
