// SPDX-License-Identifier: Apache-2.0
#include "cni/request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/file.h"
#include "base/json_reader.h"
#include "cni/names.h"

namespace onlink::cni {
namespace {

constexpr std::array<std::string_view, 6> command_names{"ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"};

bool is_about_attachment(Command command) {
  return command == Command::add || command == Command::del || command == Command::check;
}

// The version of the specification that introduced the command.
Version first_version_with(Command command) {
  if (command == Command::check) return {0, 4, 0};
  if (command == Command::status || command == Command::gc) return {1, 1, 0};
  return oldest_version;
}

std::string variable(const Source& source, const char* name) {
  const char* value = source.getenv(name);
  return value != nullptr ? value : "";
}

Failure bad_environment(const std::vector<std::string>& problems) {
  return Failure(FailureKind::environment, fmt::format("{}", fmt::join(problems, "; ")));
}

Command read_command(const Source& source) {
  const std::string name = variable(source, "CNI_COMMAND");
  for (std::size_t i = 0; i < command_names.size(); ++i)
    if (name == command_names[i]) return static_cast<Command>(i);
  const std::string reason = name.empty() ? "is missing" : fmt::format("\"{}\" is not a command", name);
  throw bad_environment(
      {fmt::format("CNI_COMMAND: {}; it must be one of {}", reason, fmt::join(command_names, ", "))});
}

// "K=V;K2=V2": one '=' in each pair, as libcni reads it.
void read_args(std::string_view text, std::map<std::string, std::string>& args, Problems& problems) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals != pair.rfind('='))
      problems.add("CNI_ARGS", fmt::format("\"{}\" is not of the form KEY=VALUE", pair));
    else
      args[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
}

void read_environment(const Source& source, Request& request) {
  Problems problems;
  const auto read = [&](const char* name, bool required,
                        std::optional<std::string> (*problem_of)(std::string_view) = nullptr) {
    std::string value = variable(source, name);
    std::optional<std::string> problem;
    if (value.empty() && required)
      problem = fmt::format("is required for {} but missing", to_string(request.command));
    else if (!value.empty() && problem_of != nullptr)
      problem = problem_of(value);
    if (problem) problems.add(name, *problem);
    return value;
  };
  if (is_about_attachment(request.command)) {
    request.attachment.container_id = read("CNI_CONTAINERID", true, problem_of_name);
    request.netns = read("CNI_NETNS", request.command != Command::del);
    request.attachment.ifname = read("CNI_IFNAME", true, problem_of_ifname);
    Problems ignored;
    read_args(variable(source, "CNI_ARGS"), request.args,
              request.command == Command::del ? ignored : problems);
  }
  request.path = read("CNI_PATH", request.command != Command::version);
  if (!problems.empty()) throw bad_environment(problems.list());
}

// Throws where the version is not supported, or lacks the command.
void read_version(const JsonReader& reader, Request& request) {
  const auto given = reader.text("cniVersion");
  if (!given && reader.has("cniVersion")) return;  // no string, which is a problem of the configuration
  const std::string text = given.value_or("");
  const auto version = text.empty() ? oldest_version : Version::parse(text);
  if (!version || !is_supported(*version)) {
    std::vector<std::string> names;
    names.reserve(supported_versions.size());
    for (const Version& supported : supported_versions) names.push_back(supported.to_string());
    throw Failure(
        FailureKind::incompatible_version,
        fmt::format("cniVersion \"{}\" is not supported\nsupported: {}", text, fmt::join(names, ", ")));
  }
  request.version = *version;
  const Version first = first_version_with(request.command);
  if (*version < first)
    throw Failure(FailureKind::incompatible_version,
                  fmt::format("cniVersion {} has no {}: it came with {}", version->to_string(),
                              to_string(request.command), first.to_string()));
}

void read_prev_result(const JsonReader& reader, Request& request) {
  const bool required = request.command == Command::check;
  if (!reader.has("prevResult")) {
    if (required) reader.problem("prevResult", "is required for CHECK but missing");
  } else if (request.command == Command::del) {
    Problems unusable;
    Result result = read_result(JsonReader(*reader.find("prevResult"), unusable), request.version);
    if (unusable.empty()) request.prev_result = std::move(result);
  } else {
    request.prev_result = read_result(reader.child("prevResult"), request.version);
  }
}

void read_valid_attachments(const JsonReader& reader, Request& request) {
  constexpr const char* key = "cni.dev/valid-attachments";
  constexpr std::size_t most_attachments = input_limit;  // as many as fit
  // Absent is not empty: taken for an empty list, it would remove every attachment. Go writes an empty slice
  // as null.
  if (!reader.is_given(key)) reader.problem(key, "is required for GC but missing");
  for (const JsonReader& entry : reader.children(key, most_attachments)) {
    Attachment attachment{entry.text("containerID").value_or(""), entry.text("ifname").value_or("")};
    if (const auto problem = problem_of_name(attachment.container_id)) entry.problem("containerID", *problem);
    if (const auto problem = problem_of_ifname(attachment.ifname)) entry.problem("ifname", *problem);
    request.valid_attachments.push_back(std::move(attachment));
  }
  std::sort(request.valid_attachments.begin(), request.valid_attachments.end());
}

void read_config(Request& request) {
  Problems problems;
  const JsonReader reader(request.config, problems);
  read_version(reader, request);
  const auto name = reader.text("name");
  if (!reader.has("name")) reader.problem("name", "is missing");
  if (reader.has("plugins") && !reader.has("type"))
    reader.problem(
        "plugins",
        "this is a configuration list (conflist); a runtime passes each plugin only its own entry: "
        "jq '. as $list | .plugins[0] + {name: $list.name, cniVersion: $list.cniVersion}'");
  if (const auto problem = name ? problem_of_name(*name) : std::nullopt) reader.problem("name", *problem);
  request.network = name.value_or("");
  if (is_about_attachment(request.command)) read_prev_result(reader, request);
  if (request.command == Command::gc) read_valid_attachments(reader, request);
  problems.throw_if_any("network configuration");
}

// VERSION answers in the version of the question where that can be parsed.
void read_version_input(const Source& source, Request& request) {
  try {
    request.input = source.read_stdin();
    request.config = parse_json(request.input, "standard input");
    Problems ignored;
    const auto version = Version::parse(JsonReader(request.config, ignored).text("cniVersion").value_or(""));
    if (version) request.version = *version;
  } catch (const Failure&) {
    // The question is unreadable: the answer is in our newest version.
  }
}

std::string read_process_stdin() {
  if (::isatty(STDIN_FILENO) == 1) return {};
  try {
    return read_all(STDIN_FILENO, "standard input", input_limit);
  } catch (const Failure& failure) {
    throw Failure(FailureKind::unreadable_input, failure.what(), failure.error());
  }
}

}  // namespace

std::string_view to_string(Command command) { return command_names[static_cast<std::size_t>(command)]; }

Source process_source() {
  return {[](const char* name) { return std::getenv(name); }, read_process_stdin};
}

void read_request(const Source& source, Request& request) {
  request.command = read_command(source);
  read_environment(source, request);
  if (request.command == Command::version) return read_version_input(source, request);
  request.input = source.read_stdin();
  request.config = parse_json(request.input, "standard input");
  read_config(request);
}

Request read_request(const Source& source) {
  Request request;
  read_request(source, request);
  return request;
}

}  // namespace onlink::cni
