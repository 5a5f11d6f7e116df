// SPDX-License-Identifier: Apache-2.0
#include "ipam/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
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

// Once round the set, starting behind the last address that was given out.
std::vector<Stretch> round_robin(const RangeSet& set, const std::optional<IpAddress>& last_reserved) {
  std::vector<Stretch> stretches;
  const Range* start = last_reserved ? set.find(*last_reserved) : nullptr;
  const std::size_t count = set.ranges.size();
  const std::size_t from = start != nullptr ? static_cast<std::size_t>(start - set.ranges.data()) : 0;
  if (start != nullptr && *last_reserved < start->end)
    stretches.push_back({start, last_reserved->next(), start->end});
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
  for (IpAddress from = stretch.first;;) {
    const auto free = next_free(from, stretch.last);
    if (!free) return std::nullopt;
    const auto end = skipped(config, *stretch.range, *free);
    if (!end) return free;
    if (*end >= stretch.last) return std::nullopt;
    from = end->next();
  }
}

std::optional<IpAddress> find_free(const NextFree& next_free, const Config& config, std::size_t range_set,
                                   const std::optional<IpAddress>& last_reserved) {
  for (const Stretch& stretch : round_robin(config.range_sets[range_set], last_reserved))
    if (const auto free = find_in(next_free, config, stretch)) return free;
  return std::nullopt;
}

std::optional<IpAddress> find_free(Ledger& ledger, const Allocation& allocation) {
  const auto next_free = [&](const IpAddress& first, const IpAddress& last) {
    return ledger.index().next_free(first, last);
  };
  return find_free(next_free, allocation.config, allocation.range_set,
                   ledger.folder().last_reserved(allocation.range_set));
}

cni::IpConfig ip_config(const RangeSet& set, const IpAddress& address) {
  const Range& range = *set.find(address);
  return {{address, range.subnet.length}, range.gateway, std::nullopt};
}

Failure changing_failure(const Ledger& ledger) {
  return Failure(
      FailureKind::try_again,
      fmt::format("{} is being changed by someone who does not take its lock", ledger.folder().path()));
}

Failure no_addresses_failure(const RangeSet& set) {
  return Failure(FailureKind::no_addresses,
                 fmt::format("no IP addresses available in range set: {}", set.to_string()));
}

// Gives back what the attachment holds from this set, if it is dead, and tells its address.
std::optional<IpAddress> end_former(Ledger& ledger, const Allocation& allocation) {
  std::optional<IpAddress> address;
  for (const Reservation& reservation : ledger.held_by(allocation.owner)) {
    if (allocation.set().find(reservation.address) == nullptr) continue;
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

void check_wanted(const Allocation& allocation, const IpAddress& address) {
  if (allocation.set().find(address)->gateway == address)
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is subnet's gateway", address.to_string()));
  if (is_reserved(allocation.config, address))
    throw Failure(FailureKind::configuration,
                  fmt::format("requested ip {} is an address of this node\nit is listed in {}/reserved",
                              address.to_string(), allocation.config.run_dir));
}

IpAddress take_wanted(Ledger& ledger, const Allocation& allocation, const IpAddress& address) {
  check_wanted(allocation, address);
  constexpr int attempts = 3;  // someone may be changing the folder without its lock
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (const auto holder = ledger.folder().read(address)) {
      const Verdict verdict = ledger.judge(*holder);
      if (!verdict.is_stale())
        throw Failure(fmt::format("requested IP address {} is not available in range set {}\n{}",
                                  address.to_string(), allocation.set().to_string(),
                                  holder->obstacle.empty()
                                      ? fmt::format("held by {} since {}: {}", describe(holder->owner),
                                                    modified_in_utc(holder->file), verdict.why)
                                      : holder->obstacle + " is in the way"));
      ledger.give_back(*holder, "reclaim", verdict.why);
    }
    if (ledger.take(address, allocation.owner)) return address;
  }
  throw changing_failure(ledger);
}

std::optional<IpAddress> oldest_resting(Ledger& ledger, const Allocation& allocation) {
  return ledger.index().oldest_resting(
      [&](const IpAddress& address) { return allocation.may_give(address); });
}

// What is free; else what is stale; else what was released too short a time ago, beginning with the longest.
std::optional<IpAddress> find_any(Ledger& ledger, const Allocation& allocation) {
  // Searching for stale reservations reads every file. While there are others to give, not at each call.
  constexpr std::chrono::seconds pause{10};
  ledger.index().wake(allocation.config.cooldown);
  if (const auto free = find_free(ledger, allocation)) return free;
  const bool is_due = ledger.index().is_due(pause);
  if ((is_due || !oldest_resting(ledger, allocation)) && ledger.reclaim_stale())
    if (const auto free = find_free(ledger, allocation)) return free;
  return oldest_resting(ledger, allocation);
}

IpAddress take_any(Ledger& ledger, const Allocation& allocation) {
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto address = find_any(ledger, allocation);
    if (!address) {
      const auto taken = ledger.index().taken();
      const auto count = std::count_if(taken.begin(), taken.end(), [&](const IpAddress& each) {
        return allocation.set().find(each) != nullptr;
      });
      throw no_addresses_failure(allocation.set())
          .append_detail(fmt::format("0 free, 0 stale, {} taken", count));
    }
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

}  // namespace

bool Allocation::may_give(const IpAddress& address) const {
  const Range* range = set().find(address);
  return range != nullptr && !skipped(config, *range, address);
}

cni::IpConfig allocate(Ledger& ledger, const Allocation& allocation) {
  const auto former = end_former(ledger, allocation);
  const auto chosen =
      allocation.wanted || !former || !allocation.may_give(*former) ? allocation.wanted : former;
  const IpAddress address = chosen ? take_wanted(ledger, allocation, *chosen) : take_any(ledger, allocation);
  remember(ledger, allocation.range_set, address);
  return ip_config(allocation.set(), address);
}

cni::IpConfig preview(const std::optional<Folder>& folder, const Allocation& allocation) {
  const auto next_free = [&](IpAddress address, const IpAddress& last) -> std::optional<IpAddress> {
    for (; folder && folder->exists(address); address = address.next())
      if (address == last) return std::nullopt;
    return address;
  };
  const auto address = allocation.wanted
                           ? allocation.wanted
                           : find_free(next_free, allocation.config, allocation.range_set,
                                       folder ? folder->last_reserved(allocation.range_set) : std::nullopt);
  if (!address) throw no_addresses_failure(allocation.set());
  return ip_config(allocation.set(), *address);
}

bool is_full(Ledger& ledger, const Allocation& allocation) {
  return !find_free(ledger, allocation) && !oldest_resting(ledger, allocation);
}

bool has_addresses(const Config& config, std::size_t range_set) {
  const auto any = [](const IpAddress& first, const IpAddress&) { return std::optional(first); };
  return find_free(any, config, range_set, std::nullopt).has_value();
}

}  // namespace onlink::ipam
