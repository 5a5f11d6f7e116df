// SPDX-License-Identifier: Apache-2.0
#include "ipam/usage.h"

#include <algorithm>
#include <vector>

#include "ipam/folder.h"
#include "ipam/survey.h"

namespace onlink::ipam {
namespace {

double count(const IpAddress& first, const IpAddress& last) {
  return static_cast<double>(last.number() - first.number()) + 1;
}

// Addresses of the range that may be given out. An address excluded twice counts twice: nobody writes that.
double size_of(const Range& range, const Config& config) {
  double size = count(range.start, range.end);
  std::vector<IpAddress> single = config.reserved;
  if (range.gateway) single.push_back(*range.gateway);
  size -= static_cast<double>(std::count_if(
      single.begin(), single.end(), [&](const IpAddress& address) { return range.contains(address); }));
  for (const IpPrefix& excluded : config.exclude)
    if (range.overlaps({excluded, excluded.network().address, excluded.last(), std::nullopt}))
      size -= count(std::max(range.start, excluded.network().address), std::min(range.end, excluded.last()));
  return size;
}

double free_in(const RangeSet& set, const Config& config, const Survey& survey) {
  double free = 0;
  for (const Range& range : set.ranges) free += size_of(range, config);
  free -= static_cast<double>(
      std::count_if(survey.items.begin(), survey.items.end(),
                    [&](const Survey::Item& item) { return set.find(item.reservation.address) != nullptr; }));
  return std::max(free, 0.0);
}

}  // namespace

Usage usage_of(const Config& given) {
  const Config config = with_reserved(given);
  Survey survey;
  if (const auto folder = Folder::peek(config.data_dir, config.network))
    survey = Survey::make(*folder, config);
  using enum Verdict::State;
  Usage usage{survey.count(alive), survey.count(stale), survey.count(unknown), {}};
  for (const RangeSet& set : config.range_sets) {
    const double free = free_in(set, config, survey);
    usage.free = usage.free ? std::min(*usage.free, free) : free;
  }
  return usage;
}

}  // namespace onlink::ipam
