// SPDX-License-Identifier: Apache-2.0
// A whole call of the plugin: environment, CNI_ARGS, configuration with prevResult; up to the plan.
//   CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH, CNI_ARGS, a line each; standard input
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "cni/program.h"
#include "plugin/config.h"
#include "plugin/explain.h"
#include "plugin/plan.h"
#include "test/fuzz/input.h"

namespace {

using namespace onlink;

// What ADD would do if the IPAM gave the addresses of prevResult.
void plan(const cni::Request& request) {
  const auto parsed = plugin::read_config(request);
  const auto config = plugin::parse_config(request);
  fuzz::require(parsed.problems.empty() && parsed.ipam_problems.empty(), "DEL reads what ADD accepts");
  if (!request.prev_result) return;
  const auto attachment = plugin::plan_attachment(request, config, *request.prev_result, 1500);
  fuzz::require(attachment.host.name.size() < 16, "the host interface has a name that the kernel takes");
  fuzz::require(plugin::explain(attachment).find(attachment.host.name) != std::string::npos,
                "--explain names the host interface");
}

cni::Handlers handlers() {
  const auto none = [](const cni::Request& request) { (void)plugin::read_config(request); };
  const auto add = [](const cni::Request& request) {
    plan(request);
    return request.prev_result.value_or(cni::Result{});
  };
  return {add, none, plan, none, none};
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::map<std::string, std::string> environment;
  for (const char* name :
       {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH", "CNI_ARGS"})
    environment[name] = input.line();
  const auto getenv = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  };
  std::string printed;
  const auto print = [&](std::string_view document) { printed += document; };
  const int status = cni::run_plugin(handlers(), {getenv, [&] { return input.rest(); }}, print);
  if (status == 0 && printed.empty()) return 0;  // DEL, CHECK, STATUS, GC
  const auto document = nlohmann::json::parse(printed, nullptr, false);
  fuzz::require(document.is_object(), "one JSON object is printed");
  fuzz::require(document["cniVersion"].is_string(), "it has a cniVersion");
  if (status != 0)
    fuzz::require(document["code"].is_number() && !document["msg"].get<std::string>().empty(),
                  "an error has a code and words");
  return 0;
}
