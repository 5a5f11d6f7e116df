// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "node/sources/kubernetes/conflist.h"

namespace onlink::node {
namespace {

// etcd takes objects of 1.5 MB; a page has 100.
constexpr std::size_t longest_line = 8u << 20;
constexpr std::size_t longest_page = 256u << 20;
// A watch without events is asked for again after this time (in a large cluster there is always a heartbeat; servers
// send bookmarks about every minute). A live server begins to answer immediately, so this detects one that has frozen
// while its kernel still acknowledges our packets.
constexpr std::int64_t longest_silence_ms = 30'000;
constexpr std::int64_t watch_begins_ms = 15'000;
constexpr std::int64_t first_patch_delay_ms = 1'000;
constexpr std::int64_t longest_patch_delay_ms = 60'000;

std::string refusal_of(const HttpAnswer& answer) {
  return answer.status == 0 ? answer.error : refusal_message(answer.body);
}

std::string describe_config(const KubernetesConfig& config) {
  if (!config.server.empty()) return "kubernetes " + config.server;
  return config.kubeconfig.empty() ? "kubernetes" : "kubernetes " + config.kubeconfig;
}

}  // namespace

KubernetesSource::KubernetesSource(KubernetesConfig config, std::string node_name, Directories directories)
    : config_(std::move(config)),
      node_name_(std::move(node_name)),
      directories_(std::move(directories)),
      description_(describe_config(config_)),
      descriptors_("prepare the source " + description_),
      alarm_("prepare the source " + description_),
      watch_(node_name_, std::random_device{}()) {
  for (const int descriptor : {alarm_.descriptor(), client_.descriptor()}) descriptors_.add(descriptor);
}

bool KubernetesSource::read() {
  (void)alarm_.expired();  // only clears it: each task has its own time
  client_.run();
  end_silence();
  if (request_ == 0 && monotonic_ms() >= ask_at_) ask();
  report_condition();
  set_alarm();
  return watch_.take_news() && watch_.in_sync();
}

std::int64_t KubernetesSource::silent_until() const {
  return heard_ms_ + (begun_ || question_.list ? longest_silence_ms : watch_begins_ms);
}

void KubernetesSource::end_silence() {
  const std::int64_t now = monotonic_ms();
  if (request_ == 0 || now < silent_until()) return;
  client_.cancel(request_);
  answered(
      {.status = begun_ ? 200 : 0, .error = fmt::format("not a byte in {} s", (now - heard_ms_) / 1000)});
}

void KubernetesSource::refresh() {
  watch_.start_over();
  client_.cancel(request_);
  request_ = 0;
  ask_at_ = 0;
  set_alarm();
}

ProblemList KubernetesSource::problems() const {
  ProblemList problems;
  if (!conflist_problem_.empty()) problems.push_back({"no-conflist", Subject::node, conflist_problem_});
  if (!patch_problem_.empty()) problems.push_back({"no-condition", Subject::node, patch_problem_});
  return problems;
}

std::shared_ptr<const NodeList> KubernetesSource::list() const {
  auto list = std::make_shared<NodeList>();
  list->reading = watch_.reading();
  list->nodes.reserve(watch_.nodes().size());
  for (const KubernetesNode& node : watch_.nodes()) {
    list->nodes.push_back(node.placed);
    const bool own = node.name() == node_name_;
    for (const std::string& text : node.problems)
      list->problems.push_back(
          {"node-entry", own ? Subject::node : Subject::peer, text, own ? "" : node.name()});
  }
  return list;
}

void KubernetesSource::ask() {
  question_ = watch_.question();
  received_.clear();
  asked_at_ = heard_ms_ = monotonic_ms();
  begun_ = false;
  try {
    HttpRequest request = api_request(config_);
    // The versions of another API mean something else, and what it lacks would stay.
    if (std::string api = request.url + request.authorities; api != asked_) {
      asked_ = std::move(api);
      watch_.start_over();
      question_ = watch_.question();
    }
    request.url += question_.path;
    request.limit = std::chrono::seconds(question_.limit_s);
    request_ = client_.start(
        request, [this](std::string_view chunk) { return take(chunk); },
        [this](const HttpAnswer& answer) { answered(answer); });
  } catch (const Failure& failure) {
    answered({.status = 0, .error = failure.what()});
  }
}

bool KubernetesSource::fits(std::size_t limit) {
  if (received_.size() <= limit) return true;
  watch_.refuse(fmt::format("the API's answer has more than {} bytes in one {}", limit,
                            question_.list ? "page" : "line"));
  return false;
}

bool KubernetesSource::take(std::string_view chunk) {
  heard_ms_ = monotonic_ms();
  heard_at_ = std::time(nullptr);
  begun_ = true;
  if (chunk.empty()) watch_.begun();
  if (question_.list) {
    received_ += chunk;
    return fits(longest_page);
  }
  while (!chunk.empty()) {
    const auto end = chunk.find('\n');
    received_ += chunk.substr(0, end);
    if (!fits(longest_line)) return false;
    if (end == std::string_view::npos) break;
    chunk.remove_prefix(end + 1);
    if (received_.empty()) continue;
    const bool good = watch_.line(received_);
    received_.clear();
    if (!good) return false;
  }
  return true;
}

void KubernetesSource::answered(HttpAnswer answer) {
  request_ = 0;
  if (answer.status != 0) heard_at_ = std::time(nullptr);
  if (answer.status == 0 && heard_at_ != 0)
    answer.error = fmt::format("no word from the API since {}: {}", in_utc(heard_at_), answer.error);
  if (question_.list && answer.good() && answer.error.empty()) (void)watch_.page(received_);
  received_ = {};  // with its memory
  const std::int64_t now = monotonic_ms();
  watch_.ended(answer, now - asked_at_);
  ask_at_ = now + watch_.delay_ms();
}

void KubernetesSource::passed(const Readiness& readiness) {
  const auto& [pod_cidrs, problems] = readiness;
  const bool ready = problems.empty() && !pod_cidrs.empty();
  if (ready && !config_.conflist_path.empty()) write_conflist(pod_cidrs);
  // For a node that was never ready, the kubelet's own conditions say enough.
  if (!ready && !wanted_) return;
  wanted_ = NetworkCondition{!ready, ready ? "onlink-node carries the pods of this node"
                                           : fmt::format("onlink-node: {}", fmt::join(problems, "; "))};
  report_condition();
  set_alarm();
}

void KubernetesSource::write_conflist(const std::vector<IpPrefix>& pod_cidrs) {
  try {
    const auto text = read_file(AT_FDCWD, config_.conflist_template);
    if (!text) throw Failure(config_.conflist_template + " does not exist");
    (void)publish_conflist(directories_, config_.conflist_path,
                           render_conflist(*text, config_.conflist_template, pod_cidrs));
    conflist_problem_.clear();
  } catch (const Failure& failure) {
    conflist_problem_ = fmt::format("no pods can start: {}", failure.what());
  }
}

// Sets the condition whenever the Node has another one, also if somebody else has changed it.
void KubernetesSource::report_condition() {
  if (!config_.network_unavailable || !wanted_ || patch_ != 0 || monotonic_ms() < patch_at_) return;
  const auto self = watch_.nodes().find(node_name_);
  if (self == watch_.nodes().end()) return;
  if (self->network == wanted_->text()) {
    patch_tries_ = 0;
    patch_problem_.clear();  // the API may have done it although its answer was lost
    return;
  }
  try {
    HttpRequest request = api_request(config_);
    set_condition(request, node_name_, *wanted_, std::time(nullptr));
    patch_ = client_.start(
        request, [](std::string_view) { return true; },
        [this](const HttpAnswer& answer) { condition_answered(answer); });
  } catch (const Failure& failure) {
    condition_answered({.status = 0, .error = failure.what()});
  }
}

void KubernetesSource::condition_answered(const HttpAnswer& answer) {
  patch_ = 0;
  const bool good = answer.good();
  patch_problem_ = good ? ""
                        : fmt::format("the condition NetworkUnavailable of this node cannot be set: {}",
                                      refusal_of(answer));
  // Delays also after success: the watch must first bring the change, and something may undo it each time.
  patch_at_ =
      monotonic_ms() + std::min(first_patch_delay_ms << std::min(patch_tries_++, 8), longest_patch_delay_ms);
}

// For the next question, the end of a silence, and the next try to set the condition.
void KubernetesSource::set_alarm() {
  std::int64_t at = request_ == 0 ? ask_at_ : silent_until();
  const std::int64_t now = monotonic_ms();
  if (wanted_ && patch_ == 0 && patch_at_ > now) at = std::min(at, patch_at_);
  alarm_.set(at - now);
}

namespace {

HttpAnswer wait_for(HttpRequest request, std::string& body) {
  HttpClient client;
  HttpAnswer answer;
  bool done = false;
  request.limit = std::chrono::seconds(10);
  client.start(
      request,
      [&](std::string_view chunk) {
        body += chunk;
        return body.size() <= longest_line;
      },
      [&](const HttpAnswer& last) {
        answer = last;
        done = true;
      });
  while (!done) {
    pollfd news{client.descriptor(), POLLIN, 0};
    if (::poll(&news, 1, -1) < 0 && errno != EINTR) throw system_failure("wait for the API");
    client.run();
  }
  if (!answer.good()) throw Failure(refusal_of(answer));
  return answer;
}

}  // namespace

std::string withdraw_condition(const KubernetesConfig& config, const std::string& node_name) {
  if (!config.network_unavailable) return "";
  return with_context(fmt::format("the condition NetworkUnavailable of Node {}", node_name), [&] {
    HttpRequest get = api_request(config);
    get.url += "/api/v1/nodes/" + node_name;
    std::string body;
    (void)wait_for(std::move(get), body);
    if (!is_our_condition(parse_node_object(body, node_name).network)) return std::string();
    HttpRequest patch = api_request(config);
    remove_condition(patch, node_name);
    body.clear();
    (void)wait_for(std::move(patch), body);
    return fmt::format("PATCH /api/v1/nodes/{}/status: without the condition NetworkUnavailable", node_name);
  });
}

}  // namespace onlink::node
