// SPDX-License-Identifier: Apache-2.0
#include "node/routes_source.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/failure.h"
#include "node/bgp.h"

namespace onlink::node {
namespace {

// A daemon writes its routes one after the other: one reading serves a burst of them.
constexpr std::int64_t burst_ms = 50;
constexpr std::int64_t retry_ms = 1000;

std::int64_t now_ms() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

netlink::Monitor open_monitor() {
  constexpr int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
  return netlink::Monitor::open(NETLINK_ROUTE, groups);
}

LearnedRoutes::Rules rules_of(const RoutesSettings& settings, bool allow_empty) {
  return {settings.table, std::int64_t{1000} * settings.hold_seconds, allow_empty};
}

}  // namespace

RoutesSettings read_routes_settings(const nlohmann::json& settings, std::string_view name) {
  Problems problems;
  const JsonReader reader(settings, problems, "source");
  reader.allow_only({"type", "table", "holdSeconds"});
  RoutesSettings read;
  read.table =
      static_cast<std::uint32_t>(reader.integer("table", 1, UINT32_MAX).value_or(default_routes_table));
  if (read.table == RT_TABLE_MAIN || read.table == RT_TABLE_LOCAL || read.table == RT_TABLE_DEFAULT)
    reader.problem("table", fmt::format("packets are looked up in table {}: the daemon needs one of its own",
                                        read.table));
  read.hold_seconds =
      static_cast<std::uint32_t>(reader.integer("holdSeconds", 0, 3600).value_or(read.hold_seconds));
  problems.throw_if_any(name);
  return read;
}

RoutesSource::RoutesSource(const ClusterFile& file, const SourceContext& context)
    : settings_(read_routes_settings(file.source.settings, context.path)),
      learned_(with_context(context.path,
                            [&] {
                              return LearnedRoutes(rules_of(settings_, context.allow_empty), file.nodes,
                                                   context.node_name);
                            })),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      monitor_(open_monitor()),
      socket_(netlink::Socket::open()) {
  if (!epoll_ || !timer_) throw system_failure("watch kernel table");
  for (const int descriptor : {timer_.get(), monitor_.descriptor()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
      throw system_failure("watch kernel table");
  }
}

std::string RoutesSource::describe() const { return fmt::format("kernel table {}", settings_.table); }

std::string RoutesSource::problem() const {
  if (!learned_.empty() || learned_.complete()) return {};
  return fmt::format("kernel table {} holds no usable route: nothing is withdrawn", settings_.table);
}

void RoutesSource::refresh() {
  look_at_ = 0;
  ++reading_;
  news_ = true;
  set_timer();
}

std::optional<NodeList> RoutesSource::read() {
  std::uint64_t expired = 0;
  if (::read(timer_.get(), &expired, sizeof expired) < 0 && errno != EAGAIN && errno != EINTR)
    throw system_failure("read a timer");
  drain();
  const std::int64_t now = now_ms();
  if (look_at_ && *look_at_ <= now) look();
  news_ = learned_.expire(now) || news_;
  set_timer();
  if (!std::exchange(news_, false)) return std::nullopt;
  NodeList list = learned_.list();
  list.reading = reading_;
  return list;
}

// Every pod that comes or goes is told here as well, by a route in main.
void RoutesSource::drain() {
  bool concerned = false;
  try {
    concerned = !monitor_.drain([&](const nlmsghdr& message) {
      const auto route = netlink::parse_route(message);
      concerned = concerned || (route && route->table == settings_.table);
    }) || concerned;
  } catch (const Failure&) {  // of the socket: a new one, and everything read again
    monitor_ = open_monitor();
    epoll_event event{.events = EPOLLIN, .data = {.fd = monitor_.descriptor()}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, monitor_.descriptor(), &event) != 0)
      throw system_failure("watch kernel table");
    concerned = true;
  }
  if (concerned && !look_at_) look_at_ = now_ms() + burst_ms;
}

void RoutesSource::look() {
  try {
    learned_.update(netlink::list_routes(socket_, {.family = {}, .table = settings_.table}), now_ms());
  } catch (const Failure&) {
    look_at_ = now_ms() + retry_ms;
    set_timer();
    throw;
  }
  look_at_.reset();
  news_ = true;
}

void RoutesSource::set_timer() {
  std::optional<std::int64_t> next = learned_.next_event();
  if (look_at_) next = std::min(next.value_or(*look_at_), *look_at_);
  itimerspec when{};  // zero: never
  if (next) {
    const std::int64_t time = std::max<std::int64_t>(*next, 1);
    when.it_value = {.tv_sec = time / 1000, .tv_nsec = time % 1000 * 1'000'000};
  }
  (void)::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace onlink::node
