// SPDX-License-Identifier: Apache-2.0
// Everything about a network's reservations, looked at without changing anything.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ipam/config.h"
#include "ipam/evidence.h"
#include "ipam/folder.h"

namespace onlink::ipam {

struct Survey {
  std::string network;
  std::vector<Judged> items;         // by address
  std::vector<std::string> faults;   // what does not fit together, each a sentence with what to do about it
  std::vector<std::string> remarks;  // what is harmless but worth knowing

  std::size_t count(Verdict::State state) const {
    return static_cast<std::size_t>(std::count_if(
        items.begin(), items.end(), [&](const Judged& item) { return item.verdict.state == state; }));
  }
  // The state at one moment. The lock is held only briefly, unless the folder changes all the time. Nothing
  // where there is no such network. Throws Failure.
  static std::optional<Survey> consistent(const Config& config);
  // Without any lock: what is looked at may be changing. Nothing where there is no such network.
  static std::optional<Survey> make(const Config& config);
};

// How full a network's pool is.
struct Usage {
  std::size_t alive = 0;
  std::size_t stale = 0;    // proved dead: reclaimed when its address is needed
  std::size_t unknown = 0;  // taken for alive
  // How many more attachments fit, with stale addresses counted as taken: in the range set with the fewest free.
  // Nothing where the configuration names no range.
  std::optional<double> free;
};

// By Survey::make(). A network without a folder has its whole pool free. Throws Failure.
Usage usage_of(const Config& given);

// The names of the networks below dataDir.
std::vector<std::string> list_networks(const std::string& data_dir);

}  // namespace onlink::ipam
