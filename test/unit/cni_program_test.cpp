// SPDX-License-Identifier: Apache-2.0
#include "cni/program.h"

#include <gtest/gtest.h>

#include <map>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cni/error.h"

namespace onlink::cni {
namespace {

using nlohmann::json;

struct Outcome {
  int status = 0;
  std::vector<std::string> documents;

  json document() const { return documents.size() == 1 ? json::parse(documents[0]) : json(); }
  unsigned code() const { return document().value("code", 0u); }
};

Outcome run(const char* command, const Handlers& handlers, const std::string& more = "") {
  const std::map<std::string, std::string> variables{{"CNI_COMMAND", command},
                                                     {"CNI_CONTAINERID", "pod-1"},
                                                     {"CNI_NETNS", "/run/netns/a"},
                                                     {"CNI_IFNAME", "eth0"},
                                                     {"CNI_PATH", "/opt/cni/bin"}};
  const Source source{[&](const char* name) -> const char* {
                        const auto found = variables.find(name);
                        return found == variables.end() ? nullptr : found->second.c_str();
                      },
                      [&] {
                        return R"({"cniVersion": "1.1.0", "name": "n", "prevResult": {},
                                   "cni.dev/valid-attachments": [])" +
                               more + "}";
                      }};
  Outcome outcome;
  outcome.status =
      run_plugin(handlers, source, [&](std::string_view text) { outcome.documents.emplace_back(text); });
  return outcome;
}

Handlers working_handlers() {
  const auto nothing = [](const Request&) {};
  return {[](const Request&) {
            Result result;
            result.ips.push_back({IpPrefix::parse("10.0.0.1/32").value(), std::nullopt, std::nullopt});
            return result;
          },
          nothing, nothing, nothing, nothing};
}

// Handlers of which each throws.
template <class Thrown>
Handlers failing_handlers(const Thrown& thrown) {
  const auto fail = [thrown](const Request&) { throw thrown; };
  return {[thrown](const Request&) -> Result { throw thrown; }, fail, fail, fail, fail};
}

TEST(Program, AddPrintsItsResultInTheVersionOfTheConfiguration) {
  const Outcome newest = run("ADD", working_handlers());
  EXPECT_EQ(newest.status, 0);
  EXPECT_EQ(newest.document(),
            json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.1/32"}]})"));
  const Outcome oldest = run("ADD", working_handlers(), R"(, "cniVersion": "0.2.0")");
  EXPECT_EQ(oldest.document()["ip4"]["ip"], "10.0.0.1/32");
}

TEST(Program, TheOthersPrintNothingWhenTheySucceed) {
  for (const char* command : {"DEL", "CHECK", "STATUS", "GC"}) {
    const Outcome outcome = run(command, working_handlers());
    EXPECT_EQ(outcome.status, 0) << command;
    EXPECT_TRUE(outcome.documents.empty()) << command;
  }
}

TEST(Program, VersionNamesAllThatAreSupported) {
  const Outcome outcome = run("VERSION", {}, R"(, "cniVersion": "1.0.0")");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.document(), json::parse(R"({"cniVersion": "1.0.0", "supportedVersions":
      ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]})"));
}

TEST(Program, EachCommandRunsItsOwnHandler) {
  std::string called;
  const auto note = [&](const char* name) { return [&called, name](const Request&) { called = name; }; };
  Handlers handlers{[&](const Request&) { return called = "ADD", Result(); }, note("DEL"), note("CHECK"),
                    note("STATUS"), note("GC")};
  for (const char* command : {"ADD", "DEL", "CHECK", "STATUS", "GC"}) {
    (void)run(command, handlers);
    EXPECT_EQ(called, command);
  }
}

TEST(Program, ACommandThatIsNotOfferedIsAnError) {
  for (const char* command : {"ADD", "DEL", "CHECK", "GC"}) {
    const Outcome outcome = run(command, {});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.code(), 4u);
    EXPECT_EQ(outcome.document()["msg"], std::string("CNI_COMMAND: this plugin does not offer ") + command);
  }
}

struct Code {
  FailureKind kind;
  unsigned code;
  unsigned in_status;
};

TEST(Program, EveryKindHasItsCode) {
  const Code table[] = {
      {FailureKind::incompatible_version, 1, 1}, {FailureKind::unsupported_field, 2, 2},
      {FailureKind::container_unknown, 3, 50},   {FailureKind::environment, 4, 4},
      {FailureKind::unreadable_input, 5, 5},     {FailureKind::not_json, 6, 6},
      {FailureKind::configuration, 7, 50},       {FailureKind::try_again, 11, 11},
      {FailureKind::unavailable, 50, 50},        {FailureKind::limited_connectivity, 51, 51},
      {FailureKind::internal, 100, 50},          {FailureKind::not_as_attached, 101, 50},
      {FailureKind::no_addresses, 102, 50}};
  for (const Code& row : table) {
    for (const char* command : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
      const Outcome outcome = run(command, failing_handlers(Failure(row.kind, "no route to 10.0.0.1")));
      EXPECT_EQ(outcome.status, 1);
      const json expected{{"cniVersion", "1.1.0"},
                          {"code", std::string(command) == "STATUS" ? row.in_status : row.code},
                          {"msg", "no route to 10.0.0.1"}};
      json document = outcome.document();
      document.erase("details");
      EXPECT_EQ(document, expected) << command;
    }
  }
}

TEST(Program, AConfigurationThatCannotBeReadKeepsItsCodeInStatus) {
  EXPECT_EQ(run("STATUS", working_handlers(), R"(, "name": "a/b")").code(), 7u);
}

TEST(Program, LinesBelowTheFirstAreDetails) {
  const json document = run("DEL", failing_handlers(Failure("first\nsecond\nthird"))).document();
  EXPECT_EQ(document["msg"], "first");
  EXPECT_EQ(document["details"], "second\nthird");
}

TEST(Program, AFailureWithoutDetailsNamesItsCall) {
  const auto details = [](const char* command, const std::string& more = "") {
    return run(command, failing_handlers(Failure("x")), more).document()["details"];
  };
  EXPECT_EQ(details("ADD"), "during ADD, network n, container pod-1, interface eth0, namespace /run/netns/a");
  EXPECT_EQ(details("GC"), "during GC, network n");
  EXPECT_EQ(details("STATUS", R"(, "name": "a/b")"), "during STATUS, network a/b");
  EXPECT_EQ(details("FETCH"), "the call was not understood");
}

TEST(Program, ErrorsAreInTheVersionOfTheConfiguration) {
  const Outcome outcome = run("ADD", failing_handlers(Failure("x")), R"(, "cniVersion": "0.3.1")");
  EXPECT_EQ(outcome.document()["cniVersion"], "0.3.1");
}

TEST(Program, NothingThrownEscapes) {
  EXPECT_EQ(run("ADD", failing_handlers(std::runtime_error("odd"))).document()["msg"], "odd");
  EXPECT_EQ(run("DEL", failing_handlers(std::bad_alloc())).document()["msg"], "out of memory");
  const Outcome number = run("GC", failing_handlers(5));
  EXPECT_EQ(number.status, 1);
  EXPECT_EQ(number.code(), 100u);
}

TEST(Program, AMessageThatIsNoUtf8IsStillADocument) {
  const Outcome outcome = run("ADD", failing_handlers(Failure("\xff")));
  EXPECT_EQ(outcome.code(), 100u);
}

TEST(Program, AResultThatCannotBePrintedIsAFailure) {
  const Source source{
      [](const char* name) { return std::string_view(name) == "CNI_COMMAND" ? "VERSION" : nullptr; },
      [] { return std::string(); }};
  EXPECT_EQ(run_plugin({}, source, [](std::string_view) { throw Failure("no space"); }), 1);
}

TEST(Error, OfAnotherPluginKeepsItsCode) {
  for (const unsigned code : {1u, 7u, 11u, 50u, 51u, 100u, 102u, 999u}) {
    const auto failure = parse_error(error_document({1, 0, 0}, code, "short\nlong").dump());
    ASSERT_TRUE(failure);
    EXPECT_STREQ(failure->what(), "short\nlong");
    try {
      with_context("IPAM plugin x", [&] { throw *failure; });
    } catch (const Failure& risen) {
      EXPECT_EQ(error_code(risen), code);
      EXPECT_STREQ(risen.what(), "IPAM plugin x: short\nlong");
    }
  }
  EXPECT_EQ(parse_error(R"({"code": 11, "msg": "later"})")->kind(), FailureKind::try_again);
  EXPECT_EQ(parse_error(R"({"code": 102, "msg": "its own"})")->kind(), FailureKind::internal);
  EXPECT_EQ(parse_error(R"({"code": 0, "msg": "unknown"})")->code(), 100u);
}

TEST(Error, OnlyAnObjectWithCodeAndMessageIsOne) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"code": 7})", R"({"msg": "x"})", R"({"code": "7", "msg": "x"})",
        R"({"code": -1, "msg": "x"})", R"({"code": 7, "msg": "x", "details": 5})"})
    EXPECT_FALSE(parse_error(text)) << text;
}

}  // namespace
}  // namespace onlink::cni
