// SPDX-License-Identifier: Apache-2.0
#include "node/telemetry.h"

#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "node/metrics/networks.h"
#include "node/routes/path_state.h"
#include "node/rules/firewall.h"

namespace onlink::node {
namespace {

// Prometheus asks every 15 s or less often. Figures that need a look at every reservation are at most this old.
constexpr std::int64_t look_ms = 10'000;
constexpr std::int64_t file_ms = 15'000;

}  // namespace

Telemetry::Telemetry(TelemetrySettings settings, const ServiceState& service)
    : settings_(std::move(settings)), service_(service) {
  look_at_networks();  // what logs already have does not count
  if (!settings_.listen.empty())
    server_.emplace(settings_.listen, [this](std::string_view path) { return answer(path); });
  if (!settings_.file.empty()) write_file();
}

void Telemetry::passed(const Pass& pass, std::chrono::duration<double> took,
                       std::optional<std::chrono::duration<double>> repair) {
  figures_.in_order = pass.in_order();
  figures_.pass_seconds.observe(took.count());
  if (repair) figures_.repair_seconds.observe(repair->count());
  figures_.peers.clear();
  const PathStates states = PathStates::after(pass.changes, pass.refused);
  for (const PeerPath& path : pass.desired.paths) ++figures_.peers[{to_string(path.kind), states.of(path)}];
  problems_ = pass.problems;
  figures_.problems.clear();
  for (const Problem& problem : problems_) ++figures_.problems[{problem.kind, to_string(problem.subject)}];
  next_file_ = 0;
}

std::int64_t Telemetry::due() const {
  std::int64_t due = std::numeric_limits<std::int64_t>::max();
  if (!settings_.file.empty()) due = next_file_;
  if (const int timeout = server_ ? server_->timeout_ms() : -1; timeout >= 0)
    due = std::min(due, monotonic_ms() + timeout);
  return due;
}

std::string Telemetry::serve() {
  if (server_) server_->serve();
  if (settings_.file.empty() || monotonic_ms() < next_file_) return {};
  std::string problem;
  try {
    write_file();
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  return std::exchange(file_problem_, problem) == problem ? "" : problem;
}

void Telemetry::write_file() {
  next_file_ = monotonic_ms() + file_ms;
  replace_file(AT_FDCWD, settings_.file, metrics(), 0644, false);
}

HttpResponse Telemetry::answer(std::string_view path) try {
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics()};
  // An answer shows that the service is not stuck.
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") return ready();
  return {.status = 404, .body = "there is /metrics, /healthz and /readyz\n"};
} catch (const std::exception& failure) {
  return {.status = 500, .body = std::string(failure.what()) + "\n"};
}

// As `status --ready`: other nodes, and the list of them, do not count.
HttpResponse Telemetry::ready() const {
  if (figures_.pass_seconds.count() == 0) return {.status = 503, .body = "no pass yet\n"};
  if (figures_.in_order) return {.body = "ok\n"};
  HttpResponse answer;
  answer.status = 503;
  for (const Problem& problem : problems_)
    if (problem.subject == Subject::node) answer.body += problem.text + "\n";
  return answer;
}

std::string Telemetry::metrics() {
  look_at_networks();
  figures_.passes = service_.passes;
  figures_.repairs = service_.repairs;
  figures_.overflows = service_.overflows;
  figures_.source = service_.source;
  figures_.source_in_sync = service_.complete;
  figures_.list_time = service_.list_time;
  try {
    figures_.dropped = Firewall::counts("onlink");
  } catch (const Failure&) {
    figures_.dropped.reset();
  }
  return print_metrics(figures_);
}

void Telemetry::look_at_networks() {
  if (monotonic_ms() < next_look_) return;
  next_look_ = monotonic_ms() + look_ms;
  ipam::NamedHostEnds host_ends;
  figures_.networks.clear();
  figures_.failures.clear();
  for (Network& network : read_networks(settings_.cni_conf_dir)) {
    const std::string& name = network.pool.network;
    try {
      network.pool.host_ends = &host_ends;
      figures_.networks[name] = ipam::usage_of(network.pool);
      if (network.log_file.empty()) continue;
      auto log = logs_.find(name);
      if (log == logs_.end() || log->second.path() != network.log_file)
        log = logs_.insert_or_assign(name, PluginLog(network.log_file)).first;
      log->second.read();
      figures_.failures[name] = log->second.failures();
    } catch (const std::exception&) {
      continue;  // a folder or a log that cannot be read is not among the figures
    }
  }
}

}  // namespace onlink::node
