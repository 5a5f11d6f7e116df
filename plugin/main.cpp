// SPDX-License-Identifier: Apache-2.0
// The program `onlink`: a CNI plugin when a runtime calls it (CNI_COMMAND is set), and a few options for
// people.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "base/standard_streams.h"
#include "cni/program.h"
#include "plugin/verbs.h"

namespace {

constexpr std::string_view help =
    R"(onlink - CNI plugin: a routed layer-3 network for containers, without a bridge

Called by a container runtime with CNI_COMMAND and the other variables of the CNI specification, and the
configuration on standard input.

  onlink --explain   given the variables and standard input of ADD, print the commands that do what ADD
                     would do; change nothing
  onlink --version   print the version and the versions of the CNI specification
  onlink --help      print this text
)";

int explain() {
  ::setenv("CNI_COMMAND", "ADD", 1);
  try {
    const auto request = onlink::cni::read_request(onlink::cni::process_source());
    return onlink::print(onlink::plugin::explain_add(request)) ? 0 : 1;
  } catch (const std::exception& failure) {
    onlink::print_error(fmt::format("onlink --explain: {}\n", failure.what()));
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  onlink::hold_standard_streams();
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--explain") return explain();
  if (option == "--version")
    return onlink::print(onlink::cni::version_text("onlink", ONLINK_VERSION)) ? 0 : 1;
  if (option == "--help" || option == "-h") return onlink::print(help) ? 0 : 1;
  if (!option.empty()) {
    onlink::print_error(fmt::format("onlink: unknown option {} (see --help)\n", option));
    return 2;
  }
  if (::getenv("CNI_COMMAND") == nullptr && ::isatty(STDIN_FILENO) != 0) {
    onlink::print_error("onlink is a CNI plugin: a container runtime calls it. See onlink --help.\n");
    return 2;
  }
  using namespace onlink;
  return cni::run_plugin({plugin::add, plugin::del, plugin::check, plugin::status, plugin::gc},
                         cni::process_source(), cni::print_to_stdout);
}
