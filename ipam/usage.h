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
  // How many more attachments there is room for, stale addresses counted as taken: of the range set that has least.
  // Nothing where the configuration names no range.
  std::optional<double> free;
};

// Looked at without any lock, as Survey::make() does: what is looked at may be changing. A network without a folder
// has all of its pool. Throws Failure.
Usage usage_of(const Config& given);

}  // namespace onlink::ipam
