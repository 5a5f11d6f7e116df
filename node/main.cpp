// SPDX-License-Identifier: Apache-2.0
// onlink-node: makes this node reach the pod subnets of the others.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/add_once.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "base/standard_streams.h"
#include "node/feed.h"
#include "node/reconcile.h"
#include "node/rules/firewall.h"
#include "node/service.h"
#include "node/service_state.h"
#include "node/telemetry.h"
#include "node/verbs/bird_config.h"
#include "node/verbs/check.h"
#include "node/verbs/clean.h"
#include "node/verbs/events.h"
#include "node/verbs/install.h"
#include "node/verbs/picture.h"
#include "node/verbs/report.h"
#include "node/verbs/status.h"

namespace {

using namespace onlink;
using namespace onlink::node;

struct Options {
  std::string config = "/etc/onlink/cluster.json";
  std::string node_name;
  Directories directories;
  std::string bin_dir = "/opt/cni/bin";
  std::string data_dir = "/var/lib/cni/networks";
  std::string subject;
  bool allow_empty = false;
  bool json = false;
  bool ready = false;
  bool problems_only = false;
  bool watch = false;
  bool wait = false;
  bool follow = false;
  TelemetrySettings telemetry;
  bool svg = false;
  std::string output;
};

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) throw system_failure("ask for the host name");
  return name;
}

void complain(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) print_error(fmt::format("onlink-node: {}\n", problem));
}
void complain(const ProblemList& problems) { complain(sentences(problems)); }

SourceContext source_context(const Options& options) {
  return {options.config, options.node_name, options.allow_empty, options.directories};
}

// The list of the file's source, if it comes within ten seconds; else the last good list.
Nodes wait_for_nodes(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(10);
  Feed feed(source_context(options));
  const Nodes* given = nullptr;
  for (;;) {
    (void)feed.read();
    given = feed.nodes();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if ((given != nullptr && (given->complete || !feed.prompt())) || left <= 0) break;
    pollfd news{feed.descriptor(), POLLIN, 0};
    if (::poll(&news, 1, static_cast<int>(left)) < 0 && errno != EINTR)
      throw system_failure("wait for the list of nodes");
  }
  if (given == nullptr) throw Failure(fmt::format("{}: {}", feed.describe(), feed.problem()));
  Nodes nodes = *given;
  if (!nodes.complete && feed.prompt())
    nodes.problems.push_back(
        {"list-incomplete", Subject::list,
         fmt::format("the last good list of nodes is used: {}: {}", feed.describe(),
                     feed.problem().empty() ? "no complete list within 10 seconds" : feed.problem())});
  return nodes;
}

// A file that lists the nodes is believed, whatever an earlier list had.
Nodes read_nodes(const Options& options) {
  ClusterFile file = read_file_for_host(options.config, options.node_name);
  const auto source = open_source(file, source_context(options));  // reports problems of its keys now
  if (file.source.type != "file") return wait_for_nodes(options);
  const auto list = source->list();
  return {assemble(file.rules, list->nodes, options.node_name), list->complete};
}

// A shell script that does the same.
void print_changes(const Pass& pass) {
  for (const std::string& line : commands(pass.changes, pass.host)) fmt::print("{}\n", line);
  if (!pass.rules.empty()) fmt::print("nft -f - <<'EOF'\n{}EOF\n", pass.rules);
}

nlohmann::json plan_document(const Pass& pass) {
  return {{"commands", commands(pass.changes, pass.host)},
          {"rules", pass.rules},
          {"unseen", pass.unseen},
          {"problems", print(pass.problems)}};
}

int plan(const Options& options) {
  Reconciler reconciler(options.directories);
  const Nodes nodes = read_nodes(options);
  Pass pass = reconciler.plan(nodes);
  if (options.json) {
    fmt::print("{}\n", dump_json(plan_document(pass), 2));
    return exit_status(pass.problems);
  }
  print_changes(pass);
  complain(pass.unseen);
  complain(pass.problems);
  return exit_status(pass.problems);
}

int apply(const Options& options) {
  const Nodes nodes = read_nodes(options);
  const UniqueFd lock = lock_node(options.directories);
  Reconciler reconciler(options.directories);
  Pass pass = reconciler.apply(nodes);
  try {
    if (nodes.complete) save_last_good(options.directories, nodes.cluster);
  } catch (const Failure& failure) {
    pass.problems.push_back({"state-not-saved", Subject::node,
                             fmt::format("{}: after a reboot this list will not be known", failure.what())});
  }
  print_changes(pass);
  complain(pass.problems);
  return pass.in_order() ? 0 : 1;
}

int run(const Options& options) { return Service(source_context(options), options.telemetry).run(); }

int events(const Options& options) {
  print_events(options.directories, options.follow);
  return 0;
}

// A running service's list may be newer or older than the file's, and need not be fetched again: its last complete
// list is on disk, with what it keeps of an earlier one.
Nodes nodes_in_use(const Options& options, const std::optional<ServiceState>& service) {
  std::string why;
  std::optional<Cluster> last_good;
  if (service && (!service->source_problem.empty() || !service->kept.empty() ||
                  (service->complete && !service->source.starts_with("file "))))
    last_good = load_last_good(options.directories, options.node_name, why);
  if (last_good) return {*last_good, service->complete};
  return read_nodes(options);
}

nft::Counts counts_if_allowed(Pass& pass) try {
  return Firewall::counts("onlink");
} catch (const Failure& failure) {
  if (failure.error() != EPERM) throw;
  add_once(pass.unseen, std::string(failure.what()));
  return {};
}

// What status, picture, check and report start from.
struct Known {
  explicit Known(const Options& options)
      : service(load_service_state(options.directories)), nodes(nodes_in_use(options, service)) {}
  std::optional<ServiceState> service;
  Nodes nodes;
};

nlohmann::json look_afresh(const Options& options, const Known& known) {
  Reconciler reconciler(options.directories);
  const auto& [service, nodes] = known;
  Pass pass = reconciler.plan(nodes);
  auto counts = counts_if_allowed(pass);
  auto document = status_document({nodes, pass, reconciler.state(), service, std::move(counts)});
  if (!options.subject.empty() && !keep_peer(document, options.subject))
    throw UnknownSubject(fmt::format("there is no peer \"{}\" with pod subnets", options.subject));
  return document;
}

// Until a signal ends the program.
void watch_status(const Options& options) {
  while (print_for_a_while(print_status(look_afresh(options, Known(options)), {options.problems_only}))) {
  }
  throw system_failure("print");
}

int status(const Options& options) {
  if (options.watch) watch_status(options);
  const auto document = look_afresh(options, Known(options));
  fmt::print("{}",
             options.json ? dump_json(document, 2) + "\n" : print_status(document, {options.problems_only}));
  if (!document["inOrder"].get<bool>()) return 1;
  return options.ready || document["problems"].empty() ? 0 : 3;
}

int picture(const Options& options) {
  const Picture picture = picture_of(look_afresh(options, Known(options)));
  fmt::print("{}", options.svg ? draw_svg(picture) : draw_text(picture));
  return 0;
}

nlohmann::json ask_around(const Options& options, const Known& known) {
  Reconciler reconciler(options.directories);
  const auto& [service, nodes] = known;
  const Pass pass = reconciler.plan(nodes);
  const StatusInput input{nodes, pass, reconciler.state(), service, {}};
  return check_document({reconciler.socket(), input, options.subject, options.data_dir});
}

int check(const Options& options) {
  const auto document = ask_around(options, Known(options));
  fmt::print("{}", options.json ? dump_json(document, 2) + "\n" : print_check(document));
  return check_exit_status(document);
}

int report(const Options& options) {
  // Fetched only once: a list that cannot be had takes its time.
  std::optional<Known> first;
  const auto known = [&]() -> const Known& { return first ? *first : first.emplace(options); };
  const auto plan = [&] { return plan_document(Reconciler(options.directories).plan(known().nodes)); };
  const std::string told = write_report(
      {options.node_name, ONLINK_VERSION, options.config, options.directories, options.telemetry.cni_conf_dir,
       options.data_dir, [&] { return look_afresh(options, known()); }, plan,
       [&] { return ask_around(options, known()); }},
      options.output);
  if (options.output == "-")
    print_error(told);
  else
    fmt::print("{}", told);
  return 0;
}

// The first process of a container gets no signal that it has no handler for; it does get blocked ones.
void wait_to_be_ended() {
  std::fflush(stdout);
  sigset_t ends;
  int signal = 0;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  (void)sigwait(&ends, &signal);
}

int clean(const Options& options) {
  const UniqueFd lock = lock_node(options.directories);
  std::string told;
  std::vector<std::string> failures;
  try {
    if (::access(options.config.c_str(), F_OK) == 0)
      told =
          withdraw_from_source(read_cluster_file(options.config, options.node_name), source_context(options));
  } catch (const Failure& failure) {
    failures.emplace_back(failure.what());
  }
  if (!told.empty()) fmt::print("{}\n", told);
  const Cleaned cleaned = node::clean(options.directories, options.node_name);
  for (const std::string& line : cleaned.done) fmt::print("{}\n", line);
  for (const std::string& line : cleaned.left) fmt::print("# {}\n", line);
  failures.insert(failures.end(), cleaned.failures.begin(), cleaned.failures.end());
  complain(failures);
  if (!failures.empty()) return 1;
  if (options.wait) wait_to_be_ended();
  return 0;
}

int install(const Options& options) {
  for (const std::string& line : install_plugins(own_folder(), options.bin_dir)) fmt::print("{}\n", line);
  return 0;
}

int bird_config(const Options& options) {
  const std::string text = read_existing_file(options.config, largest_cluster_file);
  fmt::print("{}", render_bird(text, options.config, options.node_name));
  return 0;
}

using Verb = int (*)(const Options&);

void add_verbs(CLI::App& app, Options& options, Verb& chosen) {
  const auto verb = [&](const char* name, Verb action, const char* words) {
    CLI::App* command = app.add_subcommand(name, words);
    command->callback([&chosen, action] { chosen = action; });
    return command;
  };
  CLI::App* intent =
      verb("plan", plan, "print the commands that would put this node in order; change nothing");
  CLI::App* once = verb("apply", apply, "put this node in order, once");
  CLI::App* always = verb("run", run, "put this node in order and keep it in order");
  CLI::App* look = verb("status", status, "show how each peer is reached, and what is not in order");
  verb("bird-config", bird_config,
       "print this node's BIRD configuration, from the key bgp of the cluster file");
  CLI::App* away = verb("clean", clean, "remove everything that onlink-node made on this host");
  CLI::App* put = verb("install", install, "install the plugins beside this program in the runtime's folder");
  CLI::App* archive = verb(
      "report", report, "write one archive with all that a question about this node needs, without secrets");
  archive->add_option(
      "-o,--output", options.output,
      "the archive; - for standard output (default: onlink-report-NODE-TIME.tar.gz in the current folder)");
  archive
      ->add_option("--cni-conf-dir", options.telemetry.cni_conf_dir,
                   "the folder of the runtime's network configurations")
      ->capture_default_str();
  CLI::App* past = verb("events", events,
                        "print what the service did and found since the last boot, and why, as JSON lines");
  past->add_flag("--follow", options.follow, "go on with later ones, until Ctrl-C");
  always->add_option(
      "--listen", options.telemetry.listen,
      "serve /metrics, /healthz and /readyz over HTTP on ADDRESS:PORT or a unix socket's path");
  always->add_option("--metrics-file", options.telemetry.file,
                     "also write the metrics to this file, for node_exporter's textfile collector (*.prom)");
  always
      ->add_option(
          "--cni-conf-dir", options.telemetry.cni_conf_dir,
          "the folder of the runtime's network configurations, for metrics of addresses and failures")
      ->capture_default_str();
  put->add_option("--bin-dir", options.bin_dir, "the folder from which the runtime executes plugins")
      ->capture_default_str();
  away->add_flag("--wait", options.wait,
                 "then wait for SIGTERM, for a supervisor that restarts what has ended");
  CLI::App* probe =
      verb("check", check, "probe the other nodes and the pods of this one, and say what is to blame");
  probe->add_option(
      "subject", options.subject,
      "only this one: a peer's name, an address, or a pod by container ID, address, interface or name");
  for (CLI::App* command : {probe, archive})
    command->add_option("--data-dir", options.data_dir, "the folder of the leases")->capture_default_str();
  verb("picture", picture, "draw this node, the others, and the paths to their pods with their state")
      ->add_flag("--svg", options.svg, "print an SVG document, for a browser");
  look->add_option("peer", options.subject, "only this peer");
  look->add_flag("--problems", options.problems_only, "list only the peers that are not ok");
  look->add_flag("--watch", options.watch, "repeat every two seconds, until Ctrl-C");
  for (CLI::App* command : {look, probe, intent}) command->add_flag("--json", options.json, "print JSON");
  look->add_flag(
      "--ready", options.ready,
      "exit with 0 also if only other nodes, or the list of them, are at fault: for readiness probes");
  for (CLI::App* command : {once, always})
    command->add_flag("--allow-empty", options.allow_empty,
                      "if the list names no other node, withdraw all routes; without this they stay");
}

}  // namespace

// An exception before the options are there ends the program, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  hold_standard_streams();
  CLI::App app(
      "Makes this node reach the pod subnets of the other nodes: routes, IPIP tunnel, masquerade, filter.");
  app.set_version_flag("--version", ONLINK_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  Options options;
  app.add_option("-c,--config", options.config, "the cluster file")->capture_default_str();
  app.add_option("-n,--node", options.node_name,
                 "the name of this node (default: $ONLINK_NODE, or the host name)")
      ->envname("ONLINK_NODE");
  app.add_option("--run-dir", options.directories.run, "the folder for state that lasts until the next boot")
      ->capture_default_str();
  app.add_option("--state-dir", options.directories.state, "the folder for the last good list of nodes")
      ->capture_default_str();
  Verb chosen = nullptr;
  add_verbs(app, options, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  try {
    if (options.node_name.empty()) options.node_name = host_name();
    const int status = chosen(options);
    if (std::fflush(stdout) != 0) throw system_failure("print");  // lost output is no success
    return status;
  } catch (const UnknownSubject& wrong) {
    print_error(fmt::format("onlink-node: {}\n", wrong.what()));
    return 2;
  } catch (const std::exception& failure) {
    print_error(fmt::format("onlink-node: {}\n", failure.what()));
    return 1;
  }
}
