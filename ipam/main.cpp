// SPDX-License-Identifier: Apache-2.0
// The program `onlink-ipam`: an IPAM plugin when a CNI plugin calls it (CNI_COMMAND is set), and commands for
// people.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/standard_streams.h"
#include "cni/program.h"
#include "ipam/commands.h"
#include "ipam/ipam.h"

namespace {

using namespace onlink;

int run_for_person(const std::vector<std::string_view>& arguments) {
  if (arguments[0] == "--help" || arguments[0] == "-h") return print(ipam::help_text()) ? 0 : 1;
  if (arguments[0] == "--version") return print(cni::version_text("onlink-ipam", ONLINK_VERSION)) ? 0 : 1;
  for (;;) {
    const ipam::Answer answer = ipam::run_command(arguments);
    print_error(answer.error);
    if (!answer.again) return print(answer.output) ? answer.status : 1;
    if (!print_for_a_while(answer.output)) return 1;
  }
}

int run_for_plugin() {
  // The caller's standard error is a log in most runtimes.
  const ipam::Notes notes = [](const std::string& text) {
    print_error(fmt::format("onlink-ipam: {}\n", text));
  };
  const cni::Handlers handlers{
      [&](const cni::Request& request) {
        return ipam::reserve(ipam::parse_config(request), request, notes).result;
      },
      [&](const cni::Request& request) { ipam::release(ipam::parse_config(request), request, notes); },
      [&](const cni::Request& request) { ipam::check(ipam::parse_config(request), request); },
      [&](const cni::Request& request) { ipam::require_ready(ipam::parse_config(request), notes); },
      [&](const cni::Request& request) { ipam::collect(ipam::parse_config(request), request, notes); },
  };
  return cni::run_plugin(handlers, cni::process_source(), cni::print_to_stdout);
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  const std::vector<std::string_view> arguments(argv + 1, argv + std::max(argc, 1));
  if (!arguments.empty()) return run_for_person(arguments);
  if (::getenv("CNI_COMMAND") == nullptr && ::isatty(STDIN_FILENO) != 0) {
    print_error("onlink-ipam is a CNI plugin: other plugins call it. See onlink-ipam --help.\n");
    return 2;
  }
  return run_for_plugin();
}
