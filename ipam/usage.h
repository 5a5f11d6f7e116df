// SPDX-License-Identifier: Apache-2.0
// How full a network's pool is.
#pragma once

#include <cstddef>
#include <optional>

#include "ipam/config.h"

namespace onlink::ipam {

struct Usage {
  std::size_t alive = 0;
  std::size_t stale = 0;    // proved dead: reclaimed when its address is needed
  std::size_t unknown = 0;  // taken for alive
  // How many more attachments fit, with stale addresses counted as taken: in the range set with the fewest free.
  // Nothing where the configuration names no range.
  std::optional<double> free;
};

// Reads without any lock, as Survey::make() does: what is read may be changing. A network without a folder has its
// whole pool free. Throws Failure.
Usage usage_of(const Config& given);

}  // namespace onlink::ipam
