// SPDX-License-Identifier: Apache-2.0
// onlink-node: makes this node reach the pod subnets of the others.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/failure.h"
#include "base/file.h"
#include "node/reconcile.h"

namespace {

using namespace onlink;
using namespace onlink::node;

struct Options {
  std::string config = "/etc/onlink/cluster.json";
  std::string node_name;
  Directories directories;
  bool allow_empty = false;
};

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) throw system_failure("ask for the host name");
  return name;
}

Nodes read_nodes(const Options& options) {
  const UniqueFd file = open_file(AT_FDCWD, options.config, O_RDONLY);
  Nodes nodes{
      parse_cluster(read_all(file.get(), options.config, 64u << 20), options.config, options.node_name)};
  nodes.complete = !nodes.cluster.peers.empty() || options.allow_empty;
  return nodes;
}

void report(const Pass& pass) {
  for (const std::string& problem : pass.problems) fmt::print(stderr, "onlink-node: {}\n", problem);
}

int plan(const Options& options) {
  Reconciler reconciler(options.directories);
  const Pass pass = reconciler.plan(read_nodes(options));
  for (const std::string& line : commands(pass.changes, pass.host)) fmt::print("{}\n", line);
  report(pass);
  return 0;
}

int apply(const Options& options) {
  const Nodes nodes = read_nodes(options);
  Reconciler reconciler(options.directories);
  save_last_good(options.directories, nodes.cluster);
  const Pass pass = reconciler.apply(nodes);
  for (const std::string& line : commands(pass.changes, pass.host)) fmt::print("{}\n", line);
  report(pass);
  return pass.in_order() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Makes this node reach the pod subnets of the other nodes: routes, IPIP tunnel, masquerade, filter.");
  app.set_version_flag("--version", ONLINK_VERSION);
  app.require_subcommand(1);
  Options options;
  app.add_option("-c,--config", options.config, "the cluster file")->capture_default_str();
  app.add_option("-n,--node", options.node_name, "which node of it this is (default: the host name)");
  app.add_option("--run-dir", options.directories.run, "where what lasts until the next boot is kept")
      ->capture_default_str();
  app.add_option("--state-dir", options.directories.state, "where the last good list of nodes is kept")
      ->capture_default_str();
  int (*chosen)(const Options&) = nullptr;
  app.add_subcommand("plan", "print the commands that would bring this node in order; change nothing")
      ->callback([&] { chosen = plan; });
  auto* apply_command = app.add_subcommand("apply", "bring this node in order, once");
  apply_command->callback([&] { chosen = apply; });
  apply_command->add_flag("--allow-empty", options.allow_empty,
                          "withdraw all routes if the list names no other node");
  app.fallthrough();
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.node_name.empty()) options.node_name = host_name();
    return chosen(options);
  } catch (const Failure& failure) {
    fmt::print(stderr, "onlink-node: {}\n", failure.what());
    return 1;
  }
}
