// SPDX-License-Identifier: Apache-2.0
// The program `onlink`: a CNI plugin when a runtime calls it (CNI_COMMAND is set), and a few words for a
// person.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/standard_streams.h"
#include "cni/program.h"
#include "plugin/verbs.h"

namespace {

constexpr std::string_view help =
    R"(onlink - CNI plugin: a routed layer-3 network for containers, without a bridge

Called by a container runtime with CNI_COMMAND and the other variables of the CNI specification, and the
configuration on standard input.

  onlink --explain   with the variables and standard input of ADD: print the commands that ADD stands for,
                     without doing anything
  onlink --version   print the version and the versions of the CNI specification
  onlink --help      print this text
)";

void print(std::string_view text, int fd = STDOUT_FILENO) { (void)!::write(fd, text.data(), text.size()); }

int explain() {
  ::setenv("CNI_COMMAND", "ADD", 1);
  try {
    print(onlink::plugin::explain_add(onlink::cni::read_request(onlink::cni::process_source())));
    return 0;
  } catch (const std::exception& failure) {
    print(fmt::format("onlink --explain: {}\n", failure.what()), STDERR_FILENO);
    return 1;
  }
}

int print_version() {
  std::string versions;
  for (const auto& version : onlink::cni::supported_versions) versions += " " + version.to_string();
  print(fmt::format("onlink {}\nCNI protocol versions supported:{}\n", ONLINK_VERSION, versions));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  onlink::hold_standard_streams();
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--explain") return explain();
  if (option == "--version") return print_version();
  if (option == "--help" || option == "-h") return print(help), 0;
  if (!option.empty()) {
    print(fmt::format("onlink: unknown option {} (--help tells what there is)\n", option), STDERR_FILENO);
    return 2;
  }
  if (::getenv("CNI_COMMAND") == nullptr && ::isatty(STDIN_FILENO) != 0) {
    print("onlink is a CNI plugin: a container runtime calls it. See onlink --help.\n", STDERR_FILENO);
    return 2;
  }
  using namespace onlink;
  return cni::run_plugin({plugin::add, plugin::del, plugin::check, plugin::status, plugin::gc},
                         cni::process_source(), cni::print_to_stdout);
}
