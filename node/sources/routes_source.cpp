// SPDX-License-Identifier: Apache-2.0
#include "node/sources/routes_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"
#include "node/cluster/bgp.h"

namespace onlink::node {
namespace {

// A daemon writes its routes one after the other: the table is read once for a burst of them.
constexpr std::int64_t burst_ms = 50;
constexpr std::int64_t retry_ms = 1000;

netlink::Monitor open_monitor() {
  constexpr int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
  return netlink::Monitor::open(NETLINK_ROUTE, groups);
}

LearnedRoutes::Rules rules_of(const RoutesSettings& settings, const ClusterFile& file, bool allow_empty) {
  return {settings.table, std::int64_t{1000} * settings.hold_seconds, allow_empty, file.bgp_prefixes};
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
                              return LearnedRoutes(
                                  rules_of(settings_, file, context.allow_empty), file.nodes,
                                  context.node_name,
                                  context.earlier != nullptr ? context.earlier->peers : std::vector<Node>());
                            })),
      descriptors_("watch kernel table"),
      timer_("watch kernel table"),
      monitor_(open_monitor()),
      socket_(netlink::Socket::open()),
      resync_ms_(std::int64_t{1000} * file.rules.resync_seconds) {
  for (const int descriptor : {timer_.descriptor(), monitor_.descriptor()}) descriptors_.add(descriptor);
}

std::string RoutesSource::describe() const { return fmt::format("kernel table {}", settings_.table); }

std::string RoutesSource::problem() const {
  if (!learned_.empty() || learned_.complete()) return {};
  return fmt::format("kernel table {} holds no usable route: nothing is withdrawn", settings_.table);
}

void RoutesSource::refresh() {
  look_at_ = 0;
  afresh_ = true;
  set_timer();
}

bool RoutesSource::read() {
  (void)timer_.expired();  // only clears it: each task has its own time
  drain();
  const std::int64_t now = monotonic_ms();
  if (look_at_ <= now) look();
  news_ = learned_.expire(now) || news_;
  set_timer();
  return std::exchange(news_, false);
}

std::shared_ptr<const NodeList> RoutesSource::list() const {
  auto list = std::make_shared<NodeList>(learned_.list());
  list->reading = reading_;
  return list;
}

// Notifications about every pod that comes or goes arrive here, too: those of its route in main.
void RoutesSource::drain() {
  bool concerned = false;
  try {
    concerned = !monitor_.drain([&](const nlmsghdr& message) {
      const auto route = netlink::parse_route(message);
      concerned = concerned || (route && route->table == settings_.table);
    }) || concerned;
  } catch (const Failure&) {  // the socket failed: open a new one, and read everything again
    monitor_ = open_monitor();
    descriptors_.add(monitor_.descriptor());
    concerned = true;
  }
  if (concerned) look_at_ = std::min(look_at_, monotonic_ms() + burst_ms);
}

// Again at each resync: routes whose interface or nexthop object goes leave without a notification.
void RoutesSource::look() {
  try {
    const auto table = netlink::list_routes(socket_, {.family = {}, .table = settings_.table});
    news_ = learned_.update(table, monotonic_ms()) || afresh_ || news_;
    if (std::exchange(afresh_, false)) ++reading_;
  } catch (const Failure&) {
    news_ = true;  // once it can be read again
    look_at_ = monotonic_ms() + retry_ms;
    set_timer();
    throw;
  }
  look_at_ = monotonic_ms() + resync_ms_;
}

void RoutesSource::set_timer() {
  timer_.set(std::min(learned_.next_event().value_or(look_at_), look_at_) - monotonic_ms());
}

}  // namespace onlink::node
