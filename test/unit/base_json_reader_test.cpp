// SPDX-License-Identifier: Apache-2.0
#include "base/json_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace onlink {
namespace {

TEST(JsonReader, EveryProblemIsNamedByItsPathInOneMessage) {
  const auto document =
      parse_json(R"({"mtu": "big", "ipam": {"routes": [{"dst": "x"}, {"dst": "10.0.0.0/8"}]}})", "stdin");
  Problems problems;
  const JsonReader reader(document, problems);
  EXPECT_FALSE(reader.integer("mtu", 0, 65535));
  for (const auto& route : reader.child("ipam").children("routes")) (void)route.prefix("dst");
  try {
    problems.throw_if_any("configuration");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::configuration);
    EXPECT_STREQ(failure.what(),
                 "configuration: mtu: must be a whole number from 0 to 65535, not \"big\"; "
                 "ipam.routes[0].dst: must be a subnet like 10.10.0.0/24, not \"x\"");
  }
}

TEST(JsonReader, AbsentAndNullAreNothing) {
  const auto document = parse_json(R"({"a": null})", "stdin");
  Problems problems;
  const JsonReader reader(document, problems);
  EXPECT_FALSE(reader.text("a"));
  EXPECT_FALSE(reader.boolean("b"));
  EXPECT_TRUE(reader.texts("a").empty());
  EXPECT_TRUE(reader.child("c").children("d").empty());
  EXPECT_TRUE(problems.empty());
}

TEST(JsonReader, NumbersOutOfRangeAreProblems) {
  const auto document = parse_json(R"({"a": 18446744073709551615, "b": 1.5, "c": -1})", "stdin");
  Problems problems;
  const JsonReader reader(document, problems);
  for (const char* key : {"a", "b", "c"}) EXPECT_FALSE(reader.integer(key, 0, INT64_MAX)) << key;
  EXPECT_EQ(problems.list().size(), 3u);
}

TEST(JsonReader, UnknownKeysWhereOnlyOursAreAllowed) {
  const auto document = parse_json(R"({"node": "a", "nodee": "b"})", "cluster file");
  Problems problems;
  JsonReader(document, problems).allow_only({"node"});
  ASSERT_EQ(problems.list().size(), 1u);
  EXPECT_EQ(problems.list()[0], "nodee: unknown key");
}

TEST(JsonReader, KeysAreFoundAsGoFindsThem) {
  const auto document = parse_json(R"({"Servers": ["a"], "mtu": 1, "MTU": 2, "rangestart": null})", "stdin");
  Problems problems;
  const JsonReader reader(document, problems);
  EXPECT_EQ(reader.texts("servers"), std::vector<std::string>{"a"});
  EXPECT_EQ(reader.integer("mtu", 0, 9), 1);  // as it is written, first
  EXPECT_EQ(reader.integer("MTU", 0, 9), 2);
  EXPECT_EQ(reader.integer("Mtu", 0, 9), 2);  // then the first of the others
  EXPECT_FALSE(reader.has("rangeStart"));
  EXPECT_TRUE(reader.is_given("rangeStart"));
  EXPECT_FALSE(reader.has("server"));
  reader.allow_only({"servers", "mtu", "rangeStart"});
  EXPECT_TRUE(problems.empty());
}

TEST(ParseJson, RefusesWhatIsNotJsonAndWhatIsTooDeep) {
  for (const std::string text : {"", "{", "[1,]", "{\"a\":\"\xff\"}", "nul", "{\"a\":1e400}"})
    EXPECT_THROW((void)parse_json(text, "stdin"), Failure) << text;
  EXPECT_THROW((void)parse_json(std::string(1 << 20, '['), "stdin"), Failure);
}

TEST(ParseJson, TextBehindANulByteIsNotPassedOver) {
  EXPECT_THROW((void)parse_json(std::string("{}\0garbage", 10), "stdin"), Failure);
}

TEST(ParseJson, ASmallTextDoesNotTakeMuchMemory) {
  std::string values = "[0";
  for (int i = 0; i < 1'000'001; ++i) values += ",0";
  EXPECT_THROW((void)parse_json(values + "]", "stdin"), Failure);
}

// Of two lists of nodes in one file the last counted, without a word.
TEST(ParseJson, AKeyThatIsThereTwiceIsNamed) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      (void)parse_unambiguous_json(text, "cluster.json");
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "";
  };
  for (const std::string text :
       {R"({"nodes":[],"nodes":[]})", R"({"a":[{"b":{}},{"nodes":1,"c":{"nodes":1},"Nodes":2}]})",
        R"({"a":{"b":1},"nodes":{"a":1},"nodes":{}})"})
    EXPECT_NE(refusal(text).find("odes\" occurs twice in one object"), std::string::npos) << text;
  const std::string deep = "{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}";
  for (const std::string& text :
       {std::string(R"([{"a":{"a":1}},{"a":[{"a":1},{"a":2}],"b":{"a":1}}])"), deep}) {
    EXPECT_EQ(refusal(text), "");
    EXPECT_EQ(parse_unambiguous_json(text, "x"), parse_json(text, "x"));
  }
}

TEST(JsonReader, ManyMistakesGiveAShortMessage) {
  Problems problems;
  for (int i = 0; i < 100'000; ++i) problems.add("key" + std::to_string(i), "wrong");
  EXPECT_LT(problems.list().size(), 100u);
  EXPECT_EQ(problems.list().back(), "and more");
}

TEST(JsonReader, AMistakeThatSeveralReadersFindIsToldOnce) {
  Problems problems;
  const nlohmann::json document = {{"runtimeConfig", "x"}};
  const JsonReader reader(document, problems);
  for (int i = 0; i < 3; ++i) (void)reader.child("runtimeConfig");
  EXPECT_EQ(problems.list(), std::vector<std::string>{"runtimeConfig: must be an object, not \"x\""});
}

}  // namespace
}  // namespace onlink
