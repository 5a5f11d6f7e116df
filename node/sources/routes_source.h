// SPDX-License-Identifier: Apache-2.0
// The list of nodes from a kernel table that a routing daemon fills (BIRD, FRR): a route's destination is a pod subnet
// of the node that is its next hop. The table is watched; nothing is ever written into it.
//
//   "source": {"type": "routes", "table": 169, "holdSeconds": 60}
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/wait.h"
#include "netlink/monitor.h"
#include "netlink/socket.h"
#include "node/sources/learned_routes.h"
#include "node/sources/open_source.h"
#include "node/sources/source.h"

namespace onlink::node {

struct RoutesSettings {
  std::uint32_t table = 0;
  std::uint32_t hold_seconds = 60;
};
// settings: the object under "source". Throws Failure (configuration), name in front.
RoutesSettings read_routes_settings(const nlohmann::json& settings, std::string_view name);

class RoutesSource final : public Source {
 public:
  // Stays in the caller's present network namespace. Throws Failure.
  RoutesSource(const ClusterFile& file, const SourceContext& context);

  int descriptor() const override { return descriptors_.descriptor(); }
  // The first list comes immediately, and is incomplete until the table has had routes for the hold time.
  bool read() override;
  std::shared_ptr<const NodeList> list() const override;
  void refresh() override;
  std::string describe() const override;
  std::string problem() const override;
  bool prompt() const override { return false; }

 private:
  void drain();
  void look();
  void set_timer();

  RoutesSettings settings_;
  LearnedRoutes learned_;
  Descriptors descriptors_;
  Timer timer_;
  netlink::Monitor monitor_;  // opened before the first look
  netlink::Socket socket_;
  std::uint64_t reading_ = 0;
  bool afresh_ = true;  // the next look is another reading
  std::int64_t resync_ms_;
  std::int64_t look_at_ = 0;  // when the table is to be read again
  bool news_ = true;
};

}  // namespace onlink::node
