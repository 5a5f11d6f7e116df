// SPDX-License-Identifier: Apache-2.0
// Ranges of addresses in host-local's sense: a subnet, the part of it that may be given out, and its gateway,
// which is never given out. An attachment gets one address from each range set.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace onlink::ipam {

struct Range {
  IpPrefix subnet;  // no host bits
  IpAddress start;  // inclusive
  IpAddress end;    // inclusive
  std::optional<IpAddress> gateway;

  bool contains(const IpAddress& address) const {
    return address.family() == start.family() && start <= address && address <= end;
  }
  bool overlaps(const Range& other) const {
    return other.start.family() == start.family() && start <= other.end && other.start <= end;
  }
  std::string to_string() const { return start.to_string() + "-" + end.to_string(); }

  bool operator==(const Range&) const = default;

  static Range whole(const IpPrefix& subnet) { return {subnet, subnet.address, subnet.last(), std::nullopt}; }
};

struct RangeSet {
  std::vector<Range> ranges;  // of one family, not overlapping, never empty

  IpFamily family() const { return ranges.front().subnet.family(); }
  // Null where no range contains it.
  const Range* find(const IpAddress& address) const {
    for (const Range& range : ranges)
      if (range.contains(address)) return &range;
    return nullptr;
  }
  bool overlaps(const RangeSet& other) const {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
      return std::any_of(other.ranges.begin(), other.ranges.end(),
                         [&](const Range& its) { return range.overlaps(its); });
    });
  }
  // "10.1.2.1-10.1.2.254,10.2.2.1-10.2.2.254", as host-local prints it.
  std::string to_string() const {
    std::string text;
    for (const Range& range : ranges) text.append(text.empty() ? "" : ",").append(range.to_string());
    return text;
  }

  bool operator==(const RangeSet&) const = default;
};

inline bool any_contains(const std::vector<RangeSet>& sets, const IpAddress& address) {
  return std::any_of(sets.begin(), sets.end(),
                     [&](const RangeSet& set) { return set.find(address) != nullptr; });
}

}  // namespace onlink::ipam
