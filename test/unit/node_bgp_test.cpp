// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "base/failure.h"
#include "node/verbs/bird_config.h"

namespace onlink::node {
namespace {

std::string file(const std::string& bgp) {
  return R"({"nodes":[{"name":"A","nodeIP":"172.16.91.201","podCIDRs":["10.10.0.0/24"]},)"
         R"({"name":"B","nodeIP":"172.16.91.202","podCIDRs":["10.10.1.0/24"]},)"
         R"({"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}],"bgp":)" +
         bgp + "}";
}

std::string render(const std::string& bgp, const std::string& node = "A") {
  return render_bird(file(bgp), "cluster.json", node);
}

std::string refusal(const std::string& bgp) {
  try {
    (void)render(bgp);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

TEST(BirdConfig, AMeshBelievesEachPeerItsOwnSubnetsOnly) {
  const std::string text = render(R"({"asNumber":64512})");
  EXPECT_TRUE(has(text, "neighbor 172.16.91.202 as 64512;"));
  EXPECT_TRUE(has(text, "import where net ~ [ 10.10.1.0/24+ ] && net !~ onlink_ours4;"));
  EXPECT_TRUE(has(text, "import where net ~ [ 10.10.2.0/24+ ] && net !~ onlink_ours4;"));
  EXPECT_TRUE(has(text, "define onlink_ours4 = [ 10.10.0.0/24+, 10.10.0.0/24- ];"));
  EXPECT_TRUE(has(text, "export where proto = \"onlink_own4\";"));
  EXPECT_TRUE(has(text, "kernel table 169;"));
  EXPECT_FALSE(has(text, "password"));
  EXPECT_FALSE(has(text, "ipv6"));
}

TEST(BirdConfig, AClientSpeaksWithTheReflectorsOnly) {
  const std::string bgp = R"({"asNumber":64512,"routeReflectors":["B"],"prefixes":["10.10.0.0/16"]})";
  const std::string client = render(bgp);
  EXPECT_TRUE(has(client, "neighbor 172.16.91.202"));
  EXPECT_FALSE(has(client, "neighbor 172.16.91.203"));
  EXPECT_FALSE(has(client, "rr client"));
  EXPECT_TRUE(has(client, "import where net ~ [ 10.10.0.0/16+ ] && net !~ onlink_ours4;"));
  const std::string reflector = render(bgp, "B");
  EXPECT_TRUE(has(reflector, "neighbor 172.16.91.201"));
  EXPECT_TRUE(has(reflector, "rr client"));
  EXPECT_TRUE(has(reflector, "export where proto = \"onlink_own4\" || source = RTS_BGP;"));
}

TEST(BirdConfig, ProblemsHaveTheirPath) {
  EXPECT_TRUE(has(refusal("{}"), "bgp.asNumber: is missing"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":0})"), "bgp.asNumber"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":65535})"), "65535 is reserved"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"routeReflectors":["A","X"]})"),
                  "bgp.routeReflectors[1]: \"X\" is none of the nodes"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"password":"x","passwordFile":"/x"})"),
                  "passwordFile: cannot be given together with \"password\""));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"password":"a\"b"})"), "bgp.password: has a quote"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"password":"a\nb"})"), "control character"));
  // A problem with it, or beside it, goes to logs, and must not have it in it.
  for (const char* odd :
       {"918273645", "[\"918273645\"]", "{\"918273645\":1}", "\"918273645\t\"", "\"918273645\"x",
        "\"918273645", "\"918273645\\q\"", "\"918273645\xff\"", "918273645x"}) {
    const std::string words = refusal(std::string("{\"asNumber\":1,\"password\":") + odd + "}");
    EXPECT_FALSE(words.empty()) << odd;
    EXPECT_FALSE(has(words, "918273645")) << words;
  }
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"prefixes":["0.0.0.0/0"]})"), "bgp.prefixes[0]"));
  EXPECT_TRUE(
      has(refusal(R"({"asNumber":1,"prefixes":["10.0.0.0/8","127.0.0.0/16"]})"),
          "bgp.prefixes[1]: 127.0.0.0/16 cannot be the pods': it overlaps 127.0.0.0/8, which is loopback"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"asNumber":2})"), "key \"asNumber\" occurs twice"));
  EXPECT_TRUE(has(refusal(R"({"asNumber":1,"typo":1})"), "bgp.typo: unknown key"));
  EXPECT_TRUE(
      has(refusal("{\"asNumber\":1,\"password\":\"" + std::string(81, 'x') + "\"}"), "81 bytes long"));
}

// Whatever a node is called, its name ends no line and no string of BIRD's.
TEST(BirdConfig, StrangeNamesStayInsideTheirLine) {
  const std::string text =
      render_bird(R"({"nodes":[{"name":"A","nodeIP":"172.16.91.201","podCIDRs":["10.10.0.0/24"]},)"
                  R"({"name":"x\"; protocol","nodeIP":"172.16.91.202","podCIDRs":[]}],"bgp":{"asNumber":1}})",
                  "cluster.json", "A");
  EXPECT_TRUE(has(text, "description \"x?; protocol\";"));
}

// The list that is kept on disk, readable for everybody, has no password in it.
TEST(BirdConfig, TheLastGoodListHasNoPassword) {
  const Cluster cluster = parse_cluster(file(R"({"asNumber":1,"password":"geheim"})"), "cluster.json", "A");
  EXPECT_FALSE(has(print_cluster(cluster), "geheim"));
}

}  // namespace
}  // namespace onlink::node
