// SPDX-License-Identifier: Apache-2.0
#include "ipam/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/failure.h"

namespace onlink::ipam {
namespace {

// Once round the set, starting after the last address given out: its ranges, and parts of one.
std::vector<Range> round_robin(const RangeSet& set, const std::optional<IpAddress>& last_reserved) {
  const Range* const last = last_reserved ? set.find(*last_reserved) : nullptr;
  if (last == nullptr) return set.ranges;
  std::vector<Range> parts = set.ranges;
  std::rotate(parts.begin(), parts.begin() + (last - set.ranges.data()), parts.end());
  parts.push_back(parts.front());
  parts.back().end = *last_reserved;
  parts.front().start = last_reserved->next();
  if (*last_reserved == last->end) parts.erase(parts.begin());
  return parts;
}

bool is_reserved(const Config& config, const IpAddress& address) {
  return std::find(config.reserved.begin(), config.reserved.end(), address) != config.reserved.end();
}

// The last address that must be skipped together with this one; nothing where it may be given out.
std::optional<IpAddress> skipped(const Config& config, const Range& range, const IpAddress& address) {
  if (range.gateway == address || is_reserved(config, address)) return address;
  for (const IpPrefix& prefix : config.exclude)
    if (prefix.contains(address)) return prefix.last();
  return std::nullopt;
}

// The first address between the two that nobody holds.
using NextFree = std::function<std::optional<IpAddress>(const IpAddress& first, const IpAddress& last)>;

std::optional<IpAddress> find_in(const NextFree& next_free, const Config& config, const Range& part) {
  for (IpAddress from = part.start;;) {
    const auto free = next_free(from, part.end);
    const auto end = free ? skipped(config, part, *free) : std::nullopt;
    if (!end) return free;
    if (*end >= part.end) return std::nullopt;
    from = end->next();
  }
}

std::optional<IpAddress> find_free(const NextFree& next_free, const Allocation& allocation,
                                   const std::optional<IpAddress>& last_reserved) {
  for (const Range& part : round_robin(allocation.set(), last_reserved))
    if (const auto free = find_in(next_free, allocation.config, part)) return free;
  return std::nullopt;
}

// By looking at the files one by one.
std::optional<IpAddress> find_free(const std::optional<Folder>& folder, const Allocation& allocation) {
  const auto next_free = [&](IpAddress address, const IpAddress& last) -> std::optional<IpAddress> {
    for (; folder && folder->exists(address); address = address.next())
      if (address == last) return std::nullopt;
    return address;
  };
  return find_free(next_free, allocation,
                   folder ? folder->last_reserved(allocation.range_set) : std::nullopt);
}

std::optional<IpAddress> find_free(const Ledger& ledger, const Allocation& allocation) {
  const auto next_free = [&](const IpAddress& first, const IpAddress& last) {
    return ledger.index().next_free(first, last);
  };
  return find_free(next_free, allocation, ledger.folder().last_reserved(allocation.range_set));
}

cni::IpConfig ip_config(const RangeSet& set, const IpAddress& address) {
  const Range& range = *set.find(address);
  return {{address, range.subnet.length}, range.gateway, std::nullopt};
}

Failure no_addresses_failure(const RangeSet& set) {
  return Failure(FailureKind::no_addresses,
                 fmt::format("no IP addresses available in range set: {}", set.to_string()));
}

void check_wanted(const Allocation& allocation, const IpAddress& address) {
  if (allocation.set().find(address)->gateway == address)
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is subnet's gateway", address.to_string()));
  if (is_reserved(allocation.config, address))
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is an address of this node\nit is listed in {}/reserved",
                              address.to_string(), allocation.config.run_dir));
}

// Takes the wanted address from a dead holder. Throws where it cannot be had.
void make_free(Ledger& ledger, const Allocation& allocation, const IpAddress& address) {
  check_wanted(allocation, address);
  const auto holder = ledger.folder().read(address);
  if (!holder) return;
  for (const Judged& living : ledger.reclaim({*holder})) {
    const auto& [reservation, record, verdict, made] = living;
    throw Failure(fmt::format("requested IP address {} is not available in range set {}\n{}",
                              address.to_string(), allocation.set().to_string(),
                              reservation.obstacle.empty()
                                  ? fmt::format("held by {} since {}: {}", describe(reservation.owner),
                                                modified_in_utc(reservation.file), verdict.why)
                                  : verdict.why));
  }
}

std::optional<IpAddress> oldest_resting(Ledger& ledger, const Allocation& allocation) {
  return ledger.index().oldest_resting(
      [&](const IpAddress& address) { return allocation.may_give(address); });
}

// A free address; else a stale one; else the resting one that was released longest ago.
std::optional<IpAddress> find_any(Ledger& ledger, const Allocation& allocation) {
  // The search reads every file. While resting addresses remain, it does not run at each call.
  constexpr std::chrono::seconds pause{10};
  ledger.index().wake(allocation.config.cooldown);
  if (const auto free = find_free(ledger, allocation)) return free;
  const bool is_due = ledger.index().is_due(pause);
  if (is_due || !oldest_resting(ledger, allocation)) {
    ledger.reclaim_all();
    if (const auto free = find_free(ledger, allocation)) return free;
  }
  return oldest_resting(ledger, allocation);
}

IpAddress require_any(Ledger& ledger, const Allocation& allocation) {
  if (const auto address = find_any(ledger, allocation)) return *address;
  const auto taken = ledger.index().taken();
  const auto count = std::count_if(taken.begin(), taken.end(), [&](const IpAddress& address) {
    return allocation.set().find(address) != nullptr;
  });
  throw no_addresses_failure(allocation.set()).append_detail(fmt::format("0 free, 0 stale, {} taken", count));
}

}  // namespace

bool Allocation::may_give(const IpAddress& address) const {
  const Range* range = set().find(address);
  return range != nullptr && !skipped(config, *range, address);
}

cni::IpConfig allocate(Ledger& ledger, const Allocation& allocation) {
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (allocation.wanted) make_free(ledger, allocation, *allocation.wanted);
    const IpAddress address = allocation.wanted ? *allocation.wanted : require_any(ledger, allocation);
    if (ledger.take(address, allocation.owner, allocation.config.pod)) {
      ledger.attempt("the next search for a free address will start at an earlier one",
                     [&] { ledger.folder().set_last_reserved(allocation.range_set, address); });
      return ip_config(allocation.set(), address);
    }
    if (!allocation.wanted) ledger.index().rebuild();  // it listed the address as free, but it was taken
  }
  throw Failure(
      FailureKind::try_again,
      fmt::format("{} is being changed by a process that does not take its lock", ledger.folder().path()));
}

cni::IpConfig preview(const std::optional<Folder>& folder, const Allocation& allocation) {
  const auto address = allocation.wanted ? allocation.wanted : find_free(folder, allocation);
  if (!address) throw no_addresses_failure(allocation.set());
  return ip_config(allocation.set(), *address);
}

bool is_full(Ledger& ledger, const Allocation& allocation) {
  return !find_free(ledger, allocation) && !oldest_resting(ledger, allocation);
}

bool has_addresses(const Allocation& allocation) { return find_free(std::nullopt, allocation).has_value(); }

}  // namespace onlink::ipam
