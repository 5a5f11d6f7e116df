// SPDX-License-Identifier: Apache-2.0
#include "ipam/range.h"

#include <algorithm>

namespace onlink::ipam {

const Range* RangeSet::find(const IpAddress& address) const {
  const auto found =
      std::find_if(ranges.begin(), ranges.end(), [&](const Range& range) { return range.contains(address); });
  return found == ranges.end() ? nullptr : &*found;
}

bool RangeSet::overlaps(const RangeSet& other) const {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& mine) {
    return std::any_of(other.ranges.begin(), other.ranges.end(),
                       [&](const Range& theirs) { return mine.overlaps(theirs); });
  });
}

std::string RangeSet::to_string() const {
  std::string text;
  for (const Range& range : ranges) text.append(text.empty() ? "" : ",").append(range.to_string());
  return text;
}

}  // namespace onlink::ipam
