// SPDX-License-Identifier: Apache-2.0
#include "node/service.h"

#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "base/add_once.h"
#include "base/clock.h"
#include "base/failure.h"
#include "base/notify.h"
#include "base/standard_streams.h"
#include "node/rules/firewall.h"

namespace onlink::node {
namespace {

// Events come in bursts (a link that goes down takes its routes along): one pass serves them all.
constexpr std::int64_t burst_ms = 5;
// Under a storm of events passes take about a fifth of a processor, unless longest_rest_ms cuts the rest short. What
// counts is their processor time, not wall-clock time: on a busy machine a long pass would cause an even longer rest.
constexpr std::int64_t rest_factor = 4;
constexpr std::int64_t longest_rest_ms = 500;  // also after a pass over very many peers
constexpr std::size_t lines_per_pass = 20;
// Usually an ADD takes less time between setting an interface's alias and adding its routes.
constexpr std::int64_t second_look_ms = 50;
// What could not be given back to a pod is tried again after that time, then after twice as long.
constexpr std::int64_t first_try_ms = 500;
constexpr std::int64_t longest_try_ms = 30'000;

constexpr std::size_t causes_per_pass = 10;

std::chrono::duration<double> seconds_since(std::int64_t then) {
  return std::chrono::nanoseconds(monotonic_ns() - then);
}

// 90 % to 110 %, so that the nodes of a cluster do not all work at the same moment.
std::int64_t with_jitter(std::int64_t milliseconds) {
  static std::minstd_rand random(std::random_device{}());
  return milliseconds * std::uniform_int_distribution<std::int64_t>(900, 1100)(random) / 1000;
}

UniqueFd open_signals() {
  (void)::signal(SIGPIPE, SIG_IGN);  // the reader of our log may end
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) throw system_failure("block signals");
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw system_failure("open signalfd");
  return fd;
}

}  // namespace

Service::Service(SourceContext context, TelemetrySettings telemetry)
    : directories_(context.directories),
      lock_(lock_node(directories_)),
      feed_(std::move(context)),
      signals_(open_signals()),
      reconciler_(directories_),
      telemetry_(std::move(telemetry), state_),
      journal_(directories_) {
  state_.pid = ::getpid();
}

void Service::say(const std::string& line) const { print_error(fmt::format("onlink-node: {}\n", line)); }

void Service::say_some(const std::vector<std::string>& lines, const char* what) const {
  for (std::size_t i = 0; i < std::min(lines.size(), lines_per_pass); ++i) say(lines[i]);
  if (lines.size() > lines_per_pass)
    say(fmt::format("... and {} more {}", lines.size() - lines_per_pass, what));
}

// Opens the monitors before the first look at the host, so that no change in between is missed.
void Service::watch() {
  routes_.emplace(monitor_routes());
  try {
    rules_.emplace(monitor_rules());
  } catch (const Failure& failure) {
    rules_.reset();
    say(fmt::format("{}: the nftables table is checked only at each resync", failure.what()));
  }
}

void Service::read_source() {
  const bool had_nodes = feed_.nodes() != nullptr;
  const bool news = feed_.read();
  const std::string problem = feed_.problem();
  if (problem != state_.source_problem && !problem.empty())
    say(fmt::format("{}{}", had_nodes || news ? "the last good list of nodes stays in use: " : "", problem));
  if (problem != state_.source_problem && problem.empty()) say(feed_.describe() + " is followed");
  if (problem != state_.source_problem) pass_due_ = true;
  state_.source_problem = problem;
  state_.source = feed_.describe();
  if (feed_.problems() != source_problems_) pass_due_ = true;
  if (!news) return;
  const Nodes& nodes = *feed_.nodes();
  if (!had_nodes && !nodes.complete)
    say("using the last good list of nodes; nothing is withdrawn until the source has a complete one");
  try {
    if (nodes.complete) save_last_good(directories_, nodes.cluster);
  } catch (const Failure& failure) {
    say(fmt::format("{}: this list will not survive a reboot", failure.what()));
  }
  if (nodes.complete) state_.list_time = std::time(nullptr);
  journal_.write(
      "list",
      {{"source", state_.source}, {"complete", nodes.complete}, {"peers", nodes.cluster.peers.size()}});
  pass_due_ = true;
}

int Service::run() {
  journal_.write("start", {{"version", ONLINK_VERSION}, {"pid", state_.pid}});
  watch();
  bool told = false;
  while (!ended_) {
    read_source();
    if (pass_due_ && monotonic_ms() >= earliest_pass_) pass();
    mend_pods();
    if (!told && (last_ || feed_.nodes() == nullptr)) {
      notify_manager("READY=1");
      told = true;
    }
    wait();
  }
  notify_manager("STOPPING=1");
  journal_.write("end");
  try {
    forget_service_state(directories_);
  } catch (const Failure& failure) {
    say(failure.what());
  }
  say("ends; routes, tunnel and rules stay");
  return 0;
}

void Service::pass() {
  pass_due_ = false;
  const Nodes* nodes = feed_.nodes();
  if (nodes == nullptr) {
    source_problems_ = feed_.problems();
    return save();
  }
  const std::int64_t start = processor_ms();
  const std::int64_t begun = monotonic_ns();
  try {
    Pass done = reconciler_.apply(*nodes, resync_due_);
    ++state_.passes;
    const bool repaired = last_ && done.changed();
    if (repaired) ++state_.repairs;
    feed_.passed({nodes->cluster.self.pod_cidrs, sentences(done.desired.problems)});
    source_problems_ = feed_.problems();
    done.problems.insert(done.problems.end(), source_problems_.begin(), source_problems_.end());
    add_problems(done.problems, "pod-not-mended", Subject::node, pod_failures_);
    report(done);
    telemetry_.passed(done, seconds_since(begun),
                      repaired && noticed_ != 0 ? std::optional(seconds_since(noticed_)) : std::nullopt);
    last_ = std::move(done.desired);
    last_->paths = std::vector<PeerPath>();
    done = {};
    // With very many peers a pass uses ten times the memory that is kept of it, and malloc would keep it for the next.
    (void)::malloc_trim(0);
    noticed_ = 0;
    causes_.clear();
  } catch (const Failure& failure) {
    say(fmt::format("{}; trying again", failure.what()));
    pass_due_ = true;
  }
  const std::int64_t end = monotonic_ms();
  earliest_pass_ =
      end + (pass_due_ ? 1000 : std::min((processor_ms() - start) * rest_factor, longest_rest_ms));
  if (resync_due_) next_resync_ = end + with_jitter(std::int64_t{1000} * nodes->cluster.resync_seconds);
  resync_due_ = false;
  save();
}

// Not part of a pass: these repairs are many, quick, and concern nobody else.
void Service::mend_pods() {
  const std::int64_t now = monotonic_ms();
  bool failing = true;
  if (next_try_ != 0 && now >= next_try_) {
    pods_.try_again();
    next_try_ = 0;
  }
  try {
    if (pods_due_ || (next_look_ != 0 && now >= next_look_)) {
      pods_.look(reconciler_.socket());
      next_look_ = pods_.unsure() ? now + second_look_ms : 0;
    }
    pods_due_ = false;
    if (pods_.due()) {
      const auto lines = pods_.mend(reconciler_.socket());
      for (const std::string& line : lines) say(line);
      if (!lines.empty()) journal_.write("pods", {{"commands", lines}});
    }
    failing = pods_.failing();
    if (auto failures = pods_.failures(); failures != pod_failures_) {
      pod_failures_ = std::move(failures);
      pass_due_ = true;  // for it tells what is wrong with this node
    }
  } catch (const Failure& failure) {
    say(failure.what());
  }
  if (!failing) {
    next_try_ = try_after_ = 0;
  } else if (next_try_ == 0) {
    try_after_ = std::clamp(2 * try_after_, first_try_ms, longest_try_ms);
    next_try_ = now + try_after_;
  }
}

void Service::report(const Pass& pass) {
  auto lines = commands(pass.changes, pass.host);
  if (!pass.rules.empty()) lines.emplace_back("nft: table inet onlink");
  say_some(lines, "changes");
  if (!lines.empty()) {
    nlohmann::json causes = nlohmann::json::array();
    for (const Cause& cause : causes_) causes.push_back(print(cause));
    const std::size_t more = lines.size() - std::min(lines.size(), lines_per_pass);
    lines.resize(lines.size() - more);
    journal_.write("change", {{"commands", lines}, {"more", more}, {"causes", std::move(causes)}});
  }
  tell_status(fmt::format("STATUS={} paths, {} problems", pass.desired.paths.size(), pass.problems.size()));
  tell_problems(pass);
}

void Service::tell_problems(const Pass& pass) {
  if (pass.problems == state_.problems) return;
  const ProblemList before = std::exchange(state_.problems, pass.problems);
  const auto news = missing_in(pass.problems, before);
  say_some(sentences(news), "problems");
  if (!news.empty()) journal_.write("problem", {{"problems", print(news)}});
  if (const auto solved = missing_in(before, pass.problems); !solved.empty())
    journal_.write("solved", {{"problems", print(solved)}});
  if (pass.problems.empty())
    say("everything is in order");
  else if (concerns_node(before) && pass.in_order())
    say("this node is in order");
}

void Service::note_cause(std::optional<Cause> cause) {
  if (cause && causes_.size() < causes_per_pass) add_once(causes_, std::move(*cause));
}

void Service::tell_status(std::string status) {
  if (status == told_) return;
  notify_manager(status);
  told_ = std::move(status);
}

void Service::wait() {
  const std::int64_t now = monotonic_ms();
  std::int64_t until = next_resync_ == 0 ? now + 60'000 : next_resync_;
  if (pass_due_) until = std::min(until, earliest_pass_);
  if (next_look_ != 0) until = std::min(until, next_look_);
  if (next_try_ != 0) until = std::min(until, next_try_);
  until = std::min(until, telemetry_.due());
  pollfd sources[] = {{signals_.get(), POLLIN, 0},
                      {feed_.descriptor(), POLLIN, 0},
                      {routes_->descriptor(), POLLIN, 0},
                      {rules_ ? rules_->descriptor() : -1, POLLIN, 0},
                      {telemetry_.descriptor(), POLLIN, 0}};
  const int ready =
      ::poll(sources, std::size(sources), static_cast<int>(std::max<std::int64_t>(0, until - now)));
  if (ready < 0 && errno != EINTR) throw system_failure("wait for events");
  if (sources[0].revents != 0 && !handle_signals()) {
    ended_ = true;
    return;
  }
  if (sources[2].revents != 0 || sources[3].revents != 0) drain_monitors();
  if (const std::string problem = telemetry_.serve(); !problem.empty()) say(problem);
  if (monotonic_ms() >= next_resync_ && next_resync_ != 0) {
    pass_due_ = resync_due_ = pods_due_ = true;
  }
}

bool Service::handle_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    if (signal.ssi_signo != SIGHUP) return false;
    say("reload");
    notify_reloading();
    feed_.refresh();
    read_source();
    pass_due_ = resync_due_ = pods_due_ = true;
    earliest_pass_ = 0;
    pass();
    notify_manager("READY=1");
  }
  return true;
}

void Service::drain_monitors() {
  const Nodes* nodes = feed_.nodes();
  const Interest interest{reconciler_.socket().port(),
                          nodes != nullptr ? nodes->cluster.pod_interface_prefix : std::string("onl"),
                          last_ ? &*last_ : nullptr};
  const bool was_due = pass_due_;
  try {
    bool complete = routes_->drain([&](const nlmsghdr& message) {
      pods_.see(message);
      // After the first few causes, more do not matter.
      if ((pass_due_ && causes_.size() >= causes_per_pass) || !concerns(message, interest)) return;
      note_cause(cause_of(message));
      pass_due_ = true;
    });
    bool touched = false;
    std::optional<Cause> toucher;
    if (rules_)
      complete = rules_->drain([&](const nlmsghdr& message) {
        touched = touched || concerns_table(message, "onlink");
        if (touched && !toucher) toucher = cause_of_transaction(message);
      }) && complete;
    // If the rules are still as the last pass left them, the change was our own.
    if (touched && !Firewall::untouched(reconciler_.state().ruleset)) {
      note_cause(std::move(toucher));
      pass_due_ = true;
    }
    if (!complete) {
      ++state_.overflows;
      pass_due_ = pods_due_ = true;
      say("the kernel dropped notifications: looking at everything again");
    }
  } catch (const Failure& failure) {
    say(fmt::format("{}: reopening the monitors", failure.what()));
    watch();
    pass_due_ = true;
  }
  if (pass_due_ && noticed_ == 0) noticed_ = monotonic_ns();
  if (pass_due_ && !was_due) earliest_pass_ = std::max(earliest_pass_, monotonic_ms() + burst_ms);
}

void Service::save() {
  const Nodes* nodes = feed_.nodes();
  state_.complete = nodes != nullptr && nodes->complete && state_.source_problem.empty();
  state_.list_problems = source_problems_;
  if (nodes != nullptr)
    state_.list_problems.insert(state_.list_problems.end(), nodes->problems.begin(), nodes->problems.end());
  state_.kept = nodes != nullptr ? nodes->kept : std::vector<std::string>();
  try {
    save_service_state(directories_, state_);
  } catch (const Failure& failure) {
    say(fmt::format("{}: `status` will not show the state of this service", failure.what()));
  }
}

}  // namespace onlink::node
