// SPDX-License-Identifier: Apache-2.0
#include "plugin/delegate.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_reader.h"
#include "cni/error.h"
#include "cni/names.h"
#include "plugin/process.h"

namespace onlink::plugin {
namespace {

// Empty folders in the list are skipped: they would mean the current one, which nobody chose.
std::string find_plugin(const std::string& type, std::string_view folders) {
  if (const auto problem = cni::problem_of_plugin_type(type))
    throw Failure(FailureKind::configuration, "type " + *problem);
  for (std::string_view rest = folders; !rest.empty();) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    std::string path = fmt::format("{}/{}", folder, type);
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return path;
  }
  throw Failure(FailureKind::configuration, fmt::format("is in no folder of CNI_PATH ({})", folders));
}

std::vector<std::string> environment_with(cni::Command command) {
  constexpr std::string_view variable = "CNI_COMMAND=";
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    if (std::string_view(*entry).substr(0, variable.size()) != variable) variables.emplace_back(*entry);
  variables.push_back(fmt::format("{}{}", variable, to_string(command)));
  variables.push_back(fmt::format("{}=1", delegated_by));
  return variables;
}

// What the plugin printed when it succeeded.
std::string execute(const std::string& path, const cni::Request& request, cni::Command command) {
  Outcome outcome = run_program({path}, environment_with(command), request.input);
  if (outcome.succeeded()) return std::move(outcome.output);
  if (auto error = cni::parse_error(outcome.output)) throw *error;
  throw outcome.failure();
}

cni::Result result_of(const std::string& output, const cni::Version& version) {
  try {
    return cni::parse_result(parse_json(output, "what it printed"), version, "its result");
  } catch (const Failure& failure) {
    throw Failure(failure.what());  // not our configuration and not our input: its own mistake
  }
}

std::string subject(const std::string& type) { return "IPAM plugin " + type; }

}  // namespace

cni::Result delegate_add(const cni::Request& request, const std::string& type,
                         const std::function<void()>& withdraw) {
  return with_context(subject(type), [&] {
    const std::string path = find_plugin(type, request.path);
    try {
      return result_of(execute(path, request, cni::Command::add), request.version);
    } catch (Failure& failure) {
      try {
        withdraw();
      } catch (const Failure& second) {
        failure.append_detail(fmt::format("its DEL failed as well: {}", second.what()));
      }
      throw;
    }
  });
}

void delegate(const cni::Request& request, const std::string& type, cni::Command command) {
  with_context(subject(type), [&] { (void)execute(find_plugin(type, request.path), request, command); });
}

}  // namespace onlink::plugin
