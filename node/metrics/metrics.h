// SPDX-License-Identifier: Apache-2.0
// The metrics of this node, as Prometheus reads them. conf/prometheus has alerts and a dashboard for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ipam/survey.h"
#include "nft/table.h"
#include "node/metrics/exposition.h"
#include "node/metrics/plugin_log.h"

namespace onlink::node {

struct Figures {
  using ByTwoWords = std::map<std::pair<std::string, std::string>, std::size_t>;

  bool in_order = false;
  ByTwoWords peers;     // pod subnets, by path and state
  ByTwoWords problems;  // by kind and subject
  std::uint64_t passes = 0;
  std::uint64_t repairs = 0;
  std::uint64_t overflows = 0;
  Histogram pass_seconds;
  Histogram repair_seconds;  // from the kernel's notification to the end of the pass that mended it
  std::string source;
  bool source_in_sync = false;
  std::int64_t list_time = 0;          // of the last complete list, seconds since 1970; 0: none yet
  std::optional<nft::Counts> dropped;  // nothing: the kernel could not be asked
  std::map<std::string, ipam::Usage> networks;
  std::map<std::string, PluginLog::Failures> failures;  // by network
};

std::string print_metrics(const Figures& figures);

}  // namespace onlink::node
