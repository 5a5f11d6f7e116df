// SPDX-License-Identifier: Apache-2.0
#include "cni/request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "cni/names.h"

namespace onlink::cni {
namespace {

using Variables = std::map<std::string, std::string>;

Source source_of(Variables variables, std::string input) {
  auto shared = std::make_shared<Variables>(std::move(variables));
  return {[shared](const char* name) -> const char* {
            const auto found = shared->find(name);
            return found == shared->end() ? nullptr : found->second.c_str();
          },
          [input = std::move(input)] { return input; }};
}

Variables variables_of(const std::string& command, Variables changes = {}) {
  Variables variables{{"CNI_COMMAND", command},
                      {"CNI_CONTAINERID", "pod-1"},
                      {"CNI_NETNS", "/run/netns/a"},
                      {"CNI_IFNAME", "eth0"},
                      {"CNI_PATH", "/opt/cni/bin"}};
  for (const auto& [name, value] : changes) variables[name] = value;
  return variables;
}

std::string config(const std::string& more = "") {
  return R"({"cniVersion": "1.1.0", "name": "onlink", "type": "onlink")" + more + "}";
}

// The failure of a call that must fail.
Failure failure_of(const Variables& variables, const std::string& input) {
  try {
    (void)read_request(source_of(variables, input));
  } catch (const Failure& failure) {
    return failure;
  }
  ADD_FAILURE() << "no failure for " << input;
  return Failure("");
}

void expect_failure(const Variables& variables, const std::string& input, FailureKind kind,
                    const std::string& part) {
  const Failure failure = failure_of(variables, input);
  EXPECT_EQ(failure.kind(), kind) << failure.what();
  EXPECT_NE(std::string(failure.what()).find(part), std::string::npos)
      << "\"" << part << "\" is not in \"" << failure.what() << "\"";
}

constexpr const char* all_variables[] = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"};

TEST(Request, AddIsReadWhole) {
  const std::string input = config(R"(, "prevResult": {"ips": [{"address": "10.0.0.1/24"}]})");
  const Request request = read_request(
      source_of(variables_of("ADD", {{"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAME=web-0;IP="}}), input));
  EXPECT_EQ(request.command, Command::add);
  EXPECT_EQ(request.network, "onlink");
  EXPECT_EQ(request.attachment, (Attachment{"pod-1", "eth0"}));
  EXPECT_EQ(request.netns, "/run/netns/a");
  EXPECT_EQ(request.path, "/opt/cni/bin");
  EXPECT_EQ(request.args, (Variables{{"IgnoreUnknown", "1"}, {"K8S_POD_NAME", "web-0"}, {"IP", ""}}));
  EXPECT_EQ(request.version, (Version{1, 1, 0}));
  EXPECT_EQ(request.input, input);
  EXPECT_EQ(request.config["type"], "onlink");
  ASSERT_TRUE(request.prev_result);
  EXPECT_EQ(request.prev_result->ips.size(), 1u);
}

struct Needs {
  const char* command;
  std::vector<std::string> variables;
};

TEST(Request, EachCommandNeedsItsVariablesAndSaysWhichAreMissing) {
  const Needs table[] = {{"ADD", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"}},
                         {"CHECK", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"}},
                         {"DEL", {"CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"}},
                         {"GC", {"CNI_PATH"}},
                         {"STATUS", {"CNI_PATH"}},
                         {"VERSION", {}}};
  const std::string input = config(R"(, "prevResult": {}, "cni.dev/valid-attachments": [])");
  for (const Needs& needs : table) {
    for (const char* variable : all_variables) {
      for (const bool set_but_empty : {false, true}) {
        Variables variables = variables_of(needs.command);
        if (set_but_empty)
          variables[variable] = "";
        else
          variables.erase(variable);
        const bool required =
            std::find(needs.variables.begin(), needs.variables.end(), variable) != needs.variables.end();
        if (required)
          expect_failure(variables, input, FailureKind::environment, std::string(variable) + ": is required");
        else
          EXPECT_NO_THROW((void)read_request(source_of(variables, input)))
              << needs.command << " " << variable;
      }
    }
    const Variables only_command{{"CNI_COMMAND", needs.command}};
    for (const std::string& variable : needs.variables)
      expect_failure(only_command, input, FailureKind::environment, variable);
  }
}

TEST(Request, UnknownCommandsAreRefused) {
  expect_failure({}, config(), FailureKind::environment, "CNI_COMMAND: is missing");
  expect_failure(variables_of("add"), config(), FailureKind::environment,
                 "CNI_COMMAND: \"add\" is not a command");
  expect_failure(variables_of("ADD "), config(), FailureKind::environment, "CNI_COMMAND");
}

TEST(Request, BadVariablesAreNamedTogether) {
  const Variables variables = variables_of(
      "ADD", {{"CNI_CONTAINERID", "../x"}, {"CNI_IFNAME", "a/b"}, {"CNI_ARGS", "A=1;B;C=2=3;=4"}});
  for (const char* part : {"CNI_CONTAINERID: \"../x\"", "CNI_IFNAME: \"a/b\"", "CNI_ARGS: \"B\"",
                           "CNI_ARGS: \"C=2=3\"", "CNI_ARGS: \"=4\""})
    expect_failure(variables, config(), FailureKind::environment, part);
}

TEST(Request, DelGoesAsFarAsItCan) {
  for (const char* prev_result : {R"({"ips": [{"address": "10.0.0.1)", R"([])", R"({"ips": 1})", R"("")",
                                  R"({"cniVersion": "7.0.0"})"}) {
    const std::string text = std::string(prev_result).find("10.0.0.1") != std::string::npos
                                 ? std::string(prev_result) + "\"}]}"  // an address cut short
                                 : prev_result;
    const Request request =
        read_request(source_of(variables_of("DEL", {{"CNI_NETNS", ""}, {"CNI_ARGS", "A=1;;B;C=3"}}),
                               config(", \"prevResult\": " + text)));
    EXPECT_FALSE(request.prev_result) << text;
    EXPECT_EQ(request.args, (Variables{{"A", "1"}, {"C", "3"}}));
  }
  EXPECT_TRUE(
      read_request(source_of(variables_of("DEL"), config(R"(, "prevResult": {"ips": []})"))).prev_result);
  EXPECT_FALSE(read_request(source_of(variables_of("DEL"), config(R"(, "prevResult": null)"))).prev_result);
}

TEST(Request, InputThatIsNoConfiguration) {
  for (const char* input : {"", "{", "onlink", "{\"name\": \"\xff\"}"})
    expect_failure(variables_of("ADD"), input, FailureKind::not_json, "standard input");
  expect_failure(variables_of("ADD"), "[]", FailureKind::configuration, "must be an object");
  Source broken = source_of(variables_of("ADD"), "");
  broken.read_stdin = []() -> std::string { throw Failure(FailureKind::unreadable_input, "gone"); };
  EXPECT_THROW((void)read_request(broken), Failure);
}

TEST(Request, ProtocolKeysAreCheckedTogether) {
  const char* input = R"({"cniVersion": "1.1.0", "name": "a/b", "prevResult": {"ips": [{"address": "x"}]}})";
  for (const char* part : {"network configuration: ", "name: \"a/b\"", "prevResult.ips[0].address: "})
    expect_failure(variables_of("ADD"), input, FailureKind::configuration, part);
  expect_failure(variables_of("ADD"), R"({"cniVersion": "1.1.0"})", FailureKind::configuration,
                 "name: is missing");
  expect_failure(variables_of("ADD"), R"({"name": ""})", FailureKind::configuration, "name: is empty");
  expect_failure(variables_of("STATUS"), R"({"cniVersion": "1.1.0", "name": 5})", FailureKind::configuration,
                 "name: must be a string");
  expect_failure(variables_of("CHECK"), config(), FailureKind::configuration, "prevResult: is required");
}

TEST(Request, VersionsOfTheConfiguration) {
  const auto with = [](const std::string& version) {
    return R"({"name": "n", "prevResult": {}, "cni.dev/valid-attachments": [], "cniVersion": )" + version +
           "}";
  };
  for (const Version& version : supported_versions) {
    const std::string quoted = "\"" + version.to_string() + "\"";
    const std::tuple<const char*, Version> commands[] = {{"ADD", {0, 1, 0}},
                                                         {"DEL", {0, 1, 0}},
                                                         {"CHECK", {0, 4, 0}},
                                                         {"STATUS", {1, 1, 0}},
                                                         {"GC", {1, 1, 0}}};
    for (const auto& [command, first] : commands) {
      if (version < first)
        expect_failure(variables_of(command), with(quoted), FailureKind::incompatible_version, command);
      else
        EXPECT_EQ(read_request(source_of(variables_of(command), with(quoted))).version, version);
    }
  }
  EXPECT_EQ(read_request(source_of(variables_of("ADD"), with("\"\""))).version, oldest_version);
  EXPECT_EQ(read_request(source_of(variables_of("ADD"), R"({"name": "n"})")).version, oldest_version);
  for (const char* text : {"\"2.0.0\"", "\"0.5.0\"", "\"1.1\"", "\"x\""})
    expect_failure(variables_of("DEL"), with(text), FailureKind::incompatible_version,
                   "supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
  expect_failure(variables_of("ADD"), with("1"), FailureKind::configuration, "cniVersion: must be a string");
}

TEST(Request, ValidAttachmentsOfGc) {
  const auto gc = [](const std::string& list) {
    return read_request(source_of(variables_of("GC"), config(", \"cni.dev/valid-attachments\": " + list)));
  };
  expect_failure(variables_of("GC"), config(), FailureKind::configuration,
                 "cni.dev/valid-attachments: is required");
  EXPECT_TRUE(gc("[]").valid_attachments.empty());
  EXPECT_TRUE(gc("null").valid_attachments.empty());  // an empty slice, as Go writes it
  EXPECT_EQ(gc(R"([{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "net1"}])")
                .valid_attachments,
            (std::vector<Attachment>{{"a", "eth0"}, {"b", "net1"}}));
  for (const char* entry :
       {"7", "{}", R"({"containerID": "a"})", R"({"containerID": "a/b", "ifname": "eth0"})",
        R"({"containerID": "a", "ifname": ".."})"})
    expect_failure(variables_of("GC"),
                   config(std::string(", \"cni.dev/valid-attachments\": [") + entry + "]"),
                   FailureKind::configuration, "cni.dev/valid-attachments[0]");
  expect_failure(variables_of("GC"), config(R"(, "cni.dev/valid-attachments": {})"),
                 FailureKind::configuration, "must be an array");
}

TEST(Request, AfterAFailureTheVersionIsKnown) {
  Request request;
  EXPECT_THROW(read_request(source_of(variables_of("ADD"), R"({"cniVersion": "0.3.1"})"), request), Failure);
  EXPECT_EQ(request.version, (Version{0, 3, 1}));
}

TEST(Request, VersionTakesAnyInput) {
  const auto asked = [](const std::string& input) {
    return read_request(source_of({{"CNI_COMMAND", "VERSION"}}, input)).version;
  };
  EXPECT_EQ(asked(R"({"cniVersion": "0.4.0"})"), (Version{0, 4, 0}));
  for (const char* input : {"", "{", "[]", "{}", R"({"cniVersion": 7})", R"({"cniVersion": "new"})"})
    EXPECT_EQ(asked(input), newest_version) << input;
}

TEST(Names, OfContainersAndNetworks) {
  for (const std::string good : {"a", "0", "A.b_c-d", "k8s.gcr.io", "x.."})
    EXPECT_FALSE(problem_of_name(good)) << good;
  for (const std::string bad : {"", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b"})
    EXPECT_TRUE(problem_of_name(bad)) << bad;
  EXPECT_FALSE(problem_of_name(std::string(255, 'a')));
  EXPECT_TRUE(problem_of_name(std::string(256, 'a')));
  EXPECT_TRUE(problem_of_name(std::string("a\0b", 3)));
}

TEST(Names, OfInterfaces) {
  for (const std::string good : {"eth0", "a", "...", "net1.100", "abcdefghijklmno", "\xc3\xa4", "-"})
    EXPECT_FALSE(problem_of_ifname(good)) << good;
  for (const std::string bad : {"", ".", "..", "abcdefghijklmnop", "a/b", "a:b", "a b", "a\tb", "a\nb",
                                "a\vb", "a\fb", "a\rb", "eth%d", "\xc3\xa0"})
    EXPECT_TRUE(problem_of_ifname(bad)) << bad;
  EXPECT_TRUE(problem_of_ifname(std::string("a\0b", 3)));
}

TEST(Names, OfPlugins) {
  for (const std::string good : {"host-local", "onlink-ipam", "a.b", "..."})
    EXPECT_FALSE(problem_of_plugin_type(good)) << good;
  for (const std::string bad : {"", ".", "..", "/bin/sh", "../sh", "a/b"})
    EXPECT_TRUE(problem_of_plugin_type(bad)) << bad;
  EXPECT_TRUE(problem_of_plugin_type(std::string("sh\0", 3)));
}

}  // namespace
}  // namespace onlink::cni
