// SPDX-License-Identifier: Apache-2.0
#include "ipam/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <functional>
#include <utility>
#include <vector>

#include "base/failure.h"

namespace onlink::ipam {
namespace {

// A part of a range, both ends inclusive.
struct Stretch {
  const Range* range;
  IpAddress first;
  IpAddress last;
};

std::optional<IpAddress> after(const IpAddress& address, const IpAddress& last) {
  if (address >= last) return std::nullopt;
  return IpAddress::from_number(address.family(), address.number() + 1);
}

// Once round the set, starting behind the last address that was given out.
std::vector<Stretch> round_robin(const RangeSet& set, const std::optional<IpAddress>& last_reserved) {
  std::vector<Stretch> stretches;
  const Range* start = last_reserved ? set.find(*last_reserved) : nullptr;
  const std::size_t count = set.ranges.size();
  const std::size_t from = start != nullptr ? static_cast<std::size_t>(start - set.ranges.data()) : 0;
  if (start != nullptr)
    if (const auto next = after(*last_reserved, start->end)) stretches.push_back({start, *next, start->end});
  for (std::size_t i = start != nullptr ? 1 : 0; i < count; ++i) {
    const Range& range = set.ranges[(from + i) % count];
    stretches.push_back({&range, range.start, range.end});
  }
  if (start != nullptr) stretches.push_back({start, start->start, *last_reserved});
  return stretches;
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

std::optional<IpAddress> find_in(const NextFree& next_free, const Config& config, const Stretch& stretch) {
  std::optional<IpAddress> from = stretch.first;
  while (from) {
    const auto free = next_free(*from, stretch.last);
    if (!free) return std::nullopt;
    const auto end = skipped(config, *stretch.range, *free);
    if (!end) return free;
    from = after(*end, stretch.last);
  }
  return std::nullopt;
}

std::optional<IpAddress> find_free(const NextFree& next_free, const Config& config, std::size_t range_set,
                                   const std::optional<IpAddress>& last_reserved) {
  for (const Stretch& stretch : round_robin(config.range_sets[range_set], last_reserved))
    if (const auto free = find_in(next_free, config, stretch)) return free;
  return std::nullopt;
}

std::optional<IpAddress> find_free(Ledger& ledger, const Config& config, std::size_t range_set) {
  const auto next_free = [&](const IpAddress& first, const IpAddress& last) {
    return ledger.index().next_free(first, last);
  };
  return find_free(next_free, config, range_set, ledger.folder().last_reserved(range_set));
}

Failure taken_failure(const Reservation& holder, const Verdict& verdict, const RangeSet& set) {
  const std::string who = holder.obstacle.empty()
                              ? fmt::format("held by {} since {}: {}", describe(holder.owner),
                                            modified_in_utc(holder.file), verdict.why)
                              : fmt::format("{} is in the way", holder.obstacle);
  return Failure(fmt::format("requested IP address {} is not available in range set {}\n{}",
                             holder.address.to_string(), set.to_string(), who));
}

Failure changing_failure(const Ledger& ledger) {
  return Failure(
      FailureKind::try_again,
      fmt::format("{} is being changed by someone who does not take its lock", ledger.folder().path()));
}

// Gives back what the attachment holds from this set, if it is dead, and tells its address.
std::optional<IpAddress> end_former(Ledger& ledger, const Allocation& allocation, const RangeSet& set) {
  std::optional<IpAddress> address;
  for (const Reservation& reservation : ledger.held_by(allocation.owner)) {
    if (set.find(reservation.address) == nullptr) continue;
    const Verdict verdict = ledger.judge(reservation);
    if (!verdict.is_stale())
      throw Failure(fmt::format("{} has been allocated to {}, duplicate allocation is not allowed\n{}: {}",
                                reservation.address.to_string(), allocation.owner.container_id,
                                verdict.state == Verdict::State::alive
                                    ? "the attachment is alive"
                                    : "the attachment cannot be proved dead",
                                verdict.why));
    ledger.give_back(reservation, "reclaim", verdict.why);
    address = reservation.address;
  }
  return address;
}

void take_wanted(Ledger& ledger, const Allocation& allocation, const RangeSet& set,
                 const IpAddress& address) {
  if (set.find(address)->gateway == address)
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is subnet's gateway", address.to_string()));
  if (is_reserved(allocation.config, address))
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is an address of this node\nit is listed in {}/reserved",
                              address.to_string(), allocation.config.run_dir));
  constexpr int attempts = 3;  // someone may be changing the folder without its lock
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (const auto holder = ledger.folder().look_at(address)) {
      const Verdict verdict = ledger.judge(*holder);
      if (!verdict.is_stale()) throw taken_failure(*holder, verdict, set);
      ledger.give_back(*holder, "reclaim", verdict.why);
    }
    if (ledger.take(address, allocation.owner)) return;
  }
  throw changing_failure(ledger);
}

std::optional<IpAddress> oldest_resting(Ledger& ledger, const Config& config, const RangeSet& set) {
  return ledger.index().oldest_resting([&](const IpAddress& address) {
    const Range* range = set.find(address);
    return range != nullptr && !skipped(config, *range, address);
  });
}

// What is free; else what is stale; else what was released too short a time ago, beginning with the longest.
std::optional<IpAddress> find_any(Ledger& ledger, const Config& config, std::size_t range_set) {
  // Searching for stale reservations reads every file. While there are others to give, not at each call.
  constexpr std::chrono::seconds pause{10};
  const RangeSet& set = config.range_sets[range_set];
  ledger.index().wake(config.cooldown);
  if (const auto free = find_free(ledger, config, range_set)) return free;
  const bool is_due = ledger.index().is_due(pause);
  if ((is_due || !oldest_resting(ledger, config, set)) && ledger.reclaim_stale())
    if (const auto free = find_free(ledger, config, range_set)) return free;
  return oldest_resting(ledger, config, set);
}

IpAddress take_any(Ledger& ledger, const Allocation& allocation, const RangeSet& set) {
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto address = find_any(ledger, allocation.config, allocation.range_set);
    if (!address) throw Failure(FailureKind::no_addresses, describe_exhaustion(ledger, set));
    if (ledger.take(*address, allocation.owner)) return *address;
    ledger.index().rebuild("it named " + address->to_string() + " free, which was taken");
  }
  throw changing_failure(ledger);
}

void remember(Ledger& ledger, std::size_t range_set, const IpAddress& address) {
  try {
    ledger.folder().set_last_reserved(range_set, address);
  } catch (const Failure& failure) {
    ledger.note(
        fmt::format("{}, ignoring: the next address will be sought from an older one on", failure.what()));
  }
}

// The address that the attachment had, unless it may no longer be given out.
bool may_return_to(const Allocation& allocation, const RangeSet& set, const IpAddress& address) {
  const Range* range = set.find(address);
  return range != nullptr && !skipped(allocation.config, *range, address);
}

}  // namespace

cni::IpConfig allocate(Ledger& ledger, const Allocation& allocation) {
  const RangeSet& set = allocation.config.range_sets[allocation.range_set];
  const auto former = end_former(ledger, allocation, set);
  IpAddress address;
  if (allocation.wanted)
    take_wanted(ledger, allocation, set, address = *allocation.wanted);
  else if (former && may_return_to(allocation, set, *former))
    take_wanted(ledger, allocation, set, address = *former);
  else
    address = take_any(ledger, allocation, set);
  remember(ledger, allocation.range_set, address);
  const Range& range = *set.find(address);
  return {{address, range.subnet.length}, range.gateway, std::nullopt};
}

std::optional<IpAddress> preview_address(const std::optional<Folder>& folder, const Config& config,
                                         std::size_t range_set) {
  const auto next_free = [&](const IpAddress& first, const IpAddress& last) {
    std::optional<IpAddress> address = first;
    while (address && folder && folder->exists(*address)) address = after(*address, last);
    return address;
  };
  return find_free(next_free, config, range_set, folder ? folder->last_reserved(range_set) : std::nullopt);
}

bool can_allocate(Ledger& ledger, const Config& config, std::size_t range_set) {
  const RangeSet& set = config.range_sets[range_set];
  if (find_free(ledger, config, range_set) || oldest_resting(ledger, config, set)) return true;
  std::vector<Reservation> held;
  for (const IpAddress& address : ledger.index().taken()) {
    if (set.find(address) == nullptr) continue;
    auto reservation = ledger.folder().look_at(address);
    if (!reservation) return true;
    held.push_back(std::move(*reservation));
  }
  const auto verdicts = ledger.evidence().judge(held);
  return std::any_of(verdicts.begin(), verdicts.end(),
                     [](const Verdict& verdict) { return verdict.is_stale(); });
}

std::string describe_exhaustion(Ledger& ledger, const RangeSet& set) {
  const auto taken = ledger.index().taken();
  const auto count = std::count_if(taken.begin(), taken.end(),
                                   [&](const IpAddress& address) { return set.find(address) != nullptr; });
  return fmt::format("no IP addresses available in range set: {}\n0 free, 0 stale, {} taken", set.to_string(),
                     count);
}

}  // namespace onlink::ipam
