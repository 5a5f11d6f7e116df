// SPDX-License-Identifier: Apache-2.0
// What a picture says, without a host: documents as `status --json` prints them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "node/verbs/picture.h"

namespace onlink::node {
namespace {

using nlohmann::json;

json path(const std::string& name, const std::string& cidr, const std::string& kind, const std::string& state,
          const std::string& why = "it is on-link, dev eth0") {
  json path = {{"name", name},    {"addresses", {"172.16.91.202"}},
               {"podCIDR", cidr}, {"path", kind},
               {"state", state},  {"why", why}};
  if (kind != "none") path["route"] = cidr + " via 172.16.91.202 dev eth0 proto 169";
  return path;
}

json document(const json& peers, const json& problems = json::array()) {
  return {
      {"node", "A"},     {"addresses", {"172.16.91.201"}}, {"podCIDRs", {"10.10.0.0/24"}}, {"running", true},
      {"inOrder", true}, {"problems", problems},           {"unseen", json::array()},      {"peers", peers}};
}

json many(std::size_t count, const std::string& prefix = "node-") {
  json peers = json::array();
  for (std::size_t i = 0; i < count; ++i)
    peers.push_back(path(fmt::format("{}{:03}", prefix, i),
                         fmt::format("10.{}.{}.0/24", 20 + i / 256, i % 256), i % 3 == 0 ? "ipip" : "direct",
                         i % 50 == 7 ? "blocked" : "ok", "it does not answer"));
  return peers;
}

std::string text_of(const json& document) { return draw_text(picture_of(document)); }
std::string svg_of(const json& document) { return draw_svg(picture_of(document)); }

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++count;
  return count;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::string_view line : split(text, "\n")) widest = std::max(widest, columns_of(line));
  return widest;
}

TEST(Picture, OfFewHasALineForEach) {
  const std::string text =
      text_of(document({path("B", "10.10.1.0/24", "direct", "ok"), path("C", "10.10.2.0/24", "ipip", "ok"),
                        path("D", "10.10.3.0/24", "vxlan", "ok")}));
  EXPECT_NE(text.find("+---- direct ----> B  172.16.91.202  10.10.1.0/24  ok\n"), std::string::npos) << text;
  EXPECT_NE(text.find("+==== ipip ======> C  "), std::string::npos) << text;
  EXPECT_NE(text.find("+~~~~ vxlan ~~~~~> D  "), std::string::npos) << text;
}

TEST(Picture, SaysWhyAWayIsNotOk) {
  const std::string text = text_of(
      document({path("B", "10.10.1.0/24", "direct", "blocked", "172.16.91.202 does not answer on eth0"),
                path("C", "10.10.2.0/24", "none", "no path", "no ipip module"),
                path("D", "10.10.3.0/24", "direct", "missing")}));
  EXPECT_NE(text.find("+---- direct --X   B"), std::string::npos) << text;
  EXPECT_NE(text.find("172.16.91.202 does not answer on eth0"), std::string::npos) << text;
  EXPECT_NE(text.find("no path  X"), std::string::npos) << text;
  EXPECT_NE(text.find("there is no route 10.10.3.0/24 via 172.16.91.202"), std::string::npos) << text;
}

TEST(Picture, APeerWithTwoWaysIsOnePeer) {
  const json both = {path("B", "10.10.1.0/24", "ipip", "ok"),
                     path("B", "fd00:10:1::/64", "direct", "blocked", "dead")};
  const Picture picture = picture_of(document(both));
  ASSERT_EQ(picture.peers.size(), 1u);
  EXPECT_EQ(picture.peers[0].kinds(), "ipip + direct");
  EXPECT_EQ(picture.peers[0].states(), "blocked");
  EXPECT_EQ(occurrences(draw_svg(picture), "data-peer=\"B\""), 1u);
}

TEST(Picture, TroubleComesFirst) {
  const auto groups = picture_of(document(many(300))).groups();
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_FALSE(groups[0].ok);
  EXPECT_FALSE(groups[1].ok);
  EXPECT_EQ(groups[2].kinds, "direct");
  EXPECT_EQ(groups[3].kinds, "ipip");
  std::size_t peers = 0;
  for (const PictureGroup& group : groups) peers += group.peers.size();
  EXPECT_EQ(peers, 300u);
}

TEST(Picture, EachOfManyIsThereOnce) {
  const json peers = many(300);
  const std::string text = text_of(document(peers));
  const std::string svg = svg_of(document(peers));
  for (const json& peer : peers) {
    const auto name = peer["name"].get<std::string>();
    EXPECT_EQ(occurrences(text, name), 1u) << name;
    EXPECT_EQ(occurrences(svg, fmt::format("data-peer=\"{}\" data-state=\"{}\"", name,
                                           peer["state"].get<std::string>())),
              1u);
  }
}

TEST(Picture, NoLineIsWiderThanAPage) {
  for (const std::size_t count : {1u, 3u, 13u, 300u})
    for (const std::size_t length : {1u, 30u, 60u, 250u}) {
      json peers = many(count, std::string(length, 'x') + "-");
      for (json& peer : peers)
        peer["addresses"] = {"172.16.91.202", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"};
      peers[0]["why"] = std::string(300, 'y') + " does not answer";
      json with_long = document(
          peers,
          {{{"kind", "k"}, {"severity", "error"}, {"subject", "node"}, {"text", std::string(300, 'z')}}});
      with_long["node"] = std::string(253, 'n');
      EXPECT_LE(widest_line(text_of(with_long)), 100u) << count << " peers with names of " << length;
    }
}

TEST(Picture, ANameCannotLeaveItsPlace) {
  const std::string name = "<script>alert(\"1\")</script>&\033[2J\n'";
  const json peers = json::array({path(name, "10.10.1.0/24", "direct", "blocked", name + " is dead")});
  json evil = document(peers, {{{"kind", "k"}, {"severity", "error"}, {"subject", "list"}, {"text", name}}});
  evil["node"] = name;
  const std::string svg = svg_of(evil);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find('\033'), std::string::npos);
  EXPECT_NE(svg.find("data-peer=\"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;?[2J?'\""),
            std::string::npos)
      << svg;
  EXPECT_EQ(text_of(evil).find('\033'), std::string::npos);
}

TEST(Picture, AProblemOfAPeerStandsBesideItOnce) {
  const json problems = {{{"kind", "peer-unreachable"},
                          {"severity", "warning"},
                          {"subject", "peer"},
                          {"text", "B: 10.10.1.0/24: dead"},
                          {"peer", "B"}},
                         {{"kind", "node-wrong"},
                          {"severity", "warning"},
                          {"subject", "list"},
                          {"text", "Node C has two addresses"},
                          {"peer", "C"}},
                         {{"kind", "node-wrong"},
                          {"severity", "warning"},
                          {"subject", "list"},
                          {"text", "Node Z has no address"},
                          {"peer", "Z"}}};
  const Picture picture = picture_of(document(
      {path("B", "10.10.1.0/24", "direct", "blocked", "dead"), path("C", "10.10.2.0/24", "direct", "ok")},
      problems));
  EXPECT_TRUE(picture.peers[0].notes.empty());
  EXPECT_EQ(picture.peers[1].notes, std::vector<std::string>{"Node C has two addresses"});
  EXPECT_FALSE(picture.peers[1].ok());
  EXPECT_EQ(picture.problems, std::vector<std::string>{"problem of the list: Node Z has no address"});
}

TEST(Picture, OfANodeAlone) {
  const json alone = document(json::array());
  EXPECT_NE(text_of(alone).find("no other node has pods"), std::string::npos);
  EXPECT_NE(svg_of(alone).find("no other node has pods"), std::string::npos);
}

TEST(Picture, SaysThatThisNodeIsNotInOrderAndWhy) {
  json wrong = document(json::array({path("B", "10.10.1.0/24", "direct", "ok")}));
  wrong["inOrder"] = false;
  const std::string text = text_of(wrong);
  EXPECT_NE(text.find("this node, NOT in order"), std::string::npos) << text;
  EXPECT_NE(text.find("onlink-node plan says what"), std::string::npos) << text;
  EXPECT_NE(svg_of(wrong).find("NOT in order"), std::string::npos);
}

}  // namespace
}  // namespace onlink::node
