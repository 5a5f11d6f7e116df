// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/fnv.h"

namespace onlink::ipam {
namespace {

constexpr char index_name[] = "index";
constexpr std::uint64_t magic = 0x36306b6e696c6e6f;  // "onlink06"
constexpr off_t largest_file = off_t{4} << 30;       // keeps a broken size from being believed

// Runs on while the machine sleeps, and is never set: for how long an address has rested within one boot.
std::int64_t boot_time() { return nanoseconds(time_by(CLOCK_BOOTTIME)); }

// Both families in one space: IPv4 as ::ffff:a.b.c.d, which no IPv6 address of ours is.
IpNumber key_of(const IpAddress& address) {
  return address.is_v4() ? IpNumber{0xffff} << 32 | address.number() : address.number();
}

IpAddress address_of(IpNumber key) {
  const bool is_v4 = key >> 32 == 0xffff;
  return IpAddress::from_number(is_v4 ? IpFamily::v4 : IpFamily::v6, is_v4 ? key & 0xffffffff : key);
}

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const IpNumber product = IpNumber{a} * (b ^ 0x9e3779b97f4a7c15);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

IpAddress Index::Entry::address() const { return address_of(key()); }

Index::Entry Index::Entry::of(const IpAddress& address, const cni::Attachment& owner) {
  const IpNumber key = key_of(address);
  const std::uint64_t hash = fnv1a(owner.ifname, fnv1a(std::string_view("\0", 1), fnv1a(owner.container_id)));
  // With a final mix: names that people give differ in their last letters.
  return {static_cast<std::uint64_t>(key >> 64), static_cast<std::uint64_t>(key),
          fold(hash, hash) | std::uint64_t{1} << 63};
}

Index::Index(const Folder& folder, const Evidence& evidence) : Index(folder, evidence, AsItIs{}) {
  if (!why_rebuilt_.empty()) rebuild();
}

// Entries of an older state of the folder are kept for rebuild().
Index::Index(const Folder& folder, const Evidence& evidence, AsItIs)
    : folder_(&folder), evidence_(&evidence) {
  try {
    read();
    const struct stat status = folder.status();
    if (head_.modified != nanoseconds(status.st_mtim) || head_.changed != nanoseconds(status.st_ctim))
      why_rebuilt_ = "the folder was changed by others, or by a process that died";
  } catch (const Failure& failure) {
    entries_.clear();
    head_ = {};
    why_rebuilt_ = failure.what();
  }
}

void Index::read() {
  const UniqueFd file = try_open(evidence_->fd(), index_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) throw Failure("there is no index");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || status.st_size > largest_file || size < sizeof head_ ||
      (size - sizeof head_) % sizeof(Entry) != 0)
    throw Failure("the file is not an index");
  kept_ = (size - sizeof head_) / sizeof(Entry);
  entries_.reserve(kept_ + 16);  // additions then move nothing
  entries_.resize(kept_);
  (void)read_at(file.get(), std::as_writable_bytes(std::span(&head_, 1)), 0, index_name);
  (void)read_at(file.get(), std::as_writable_bytes(std::span(entries_)), sizeof head_, index_name);
  if (head_.magic != magic) throw Failure("the file is not an index");
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (head_.checksum != checksum()) throw Failure("it is damaged, or of another boot");
#endif
}

// Against accidents, not against forgers: they can write reservations here as well.
std::uint64_t Index::checksum() const {
  std::uint64_t sum = fold(fnv1a(evidence_->boot()), static_cast<std::uint64_t>(head_.modified));
  sum = fold(sum ^ static_cast<std::uint64_t>(head_.changed), static_cast<std::uint64_t>(head_.last_due));
  sum = fold(sum ^ head_.restore_due, entries_.size());
  for (const Entry& entry : entries_) sum = fold(sum ^ entry.low, entry.value ^ entry.high);
  return sum;
}

// A held address that has no file now counts as released just now; a resting one goes on resting.
void Index::rebuild() {
  kept_ = 0;
  Entries former = std::exchange(entries_, {});
  unreadable_.clear();
  for (const Reservation& reservation : folder_->reservations(folder_->names())) {
    if (reservation.is_unreadable && unreadable_.empty()) unreadable_ = reservation.obstacle;
    entries_.push_back(Entry::of(reservation.address, reservation.owner));
    if (reservation.obstacle.empty() && reservation.boot.empty())
      folder_->mark_boot(reservation.address, evidence_->boot());
  }
  for (Entry& entry : former) {
    if (entry.is_held()) entry.value = static_cast<std::uint64_t>(boot_time());
    entries_.push_back(entry);
  }
  // Of two entries with one address the first stays: the file's.
  std::stable_sort(entries_.begin(), entries_.end(), by_address);
  const auto end = std::unique(entries_.begin(), entries_.end(),
                               [](const Entry& a, const Entry& b) { return a.key() == b.key(); });
  entries_.erase(end, entries_.end());
  head_.restore_due = 1;
  changed_ = true;
}

void Index::restored() {
  changed_ = changed_ || is_restore_due();
  head_.restore_due = 0;
}

std::optional<IpAddress> Index::next_free(const IpAddress& first, const IpAddress& last) const {
  const IpNumber end = key_of(last);
  auto entry = std::lower_bound(entries_.begin(), entries_.end(), Entry::of(first, {}), by_address);
  for (IpNumber key = key_of(first);; ++key, ++entry) {
    if (entry == entries_.end() || entry->key() != key) return address_of(key);
    if (key == end) return std::nullopt;
  }
}

std::optional<IpAddress> Index::oldest_resting(const std::function<bool(const IpAddress&)>& suits) const {
  const Entry* oldest = nullptr;
  for (const Entry& entry : entries_)
    if (!entry.is_held() && (oldest == nullptr || entry.value < oldest->value) && suits(entry.address()))
      oldest = &entry;
  return oldest != nullptr ? std::optional(oldest->address()) : std::nullopt;
}

std::vector<IpAddress> Index::held_by(const cni::Attachment& owner) const {
  const std::uint64_t exact = Entry::of({}, owner).value;
  const std::uint64_t by_container = Entry::of({}, {owner.container_id, ""}).value;
  std::vector<IpAddress> held;
  for (const Entry& entry : entries_)
    if (entry.value == exact || entry.value == by_container) held.push_back(entry.address());
  return held;
}

std::vector<IpAddress> Index::taken(const std::vector<cni::Attachment>& except) const {
  std::vector<std::uint64_t> excepted;
  for (const auto& [container_id, ifname] : except)
    for (const std::string& name : {ifname, std::string()})
      excepted.push_back(Entry::of({}, {container_id, name}).value);
  std::sort(excepted.begin(), excepted.end());
  std::vector<IpAddress> all;
  for (const Entry& entry : entries_)
    if (entry.is_held() && !std::binary_search(excepted.begin(), excepted.end(), entry.value))
      all.push_back(entry.address());
  return all;
}

// The place of the entry with this one's address; it is inserted where there is none.
Index::Entries::iterator Index::change(const Entry& entry) {
  changed_ = true;
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry, by_address);
  kept_ = std::min(kept_, static_cast<std::size_t>(place - entries_.begin()));
  return place != entries_.end() && place->key() == entry.key() ? place : entries_.insert(place, entry);
}

void Index::add(const IpAddress& address, const cni::Attachment& owner) {
  const Entry entry = Entry::of(address, owner);
  *change(entry) = entry;
}

void Index::remove(const IpAddress& address) {
  change(Entry::of(address, {}))->value = static_cast<std::uint64_t>(boot_time());
}

void Index::wake(std::chrono::seconds cooldown) {
  const std::int64_t limit = boot_time() - std::chrono::nanoseconds(cooldown).count();
  const auto awake = [&](const Entry& entry) {
    return !entry.is_held() && static_cast<std::int64_t>(entry.value) <= limit;
  };
  const auto first = std::find_if(entries_.begin(), entries_.end(), awake);
  kept_ = std::min(kept_, static_cast<std::size_t>(first - entries_.begin()));
  entries_.erase(std::remove_if(first, entries_.end(), awake), entries_.end());
}

bool Index::is_due(std::chrono::seconds pause) {
  const std::int64_t time = boot_time();
  if (head_.last_due != 0 && time - head_.last_due < std::chrono::nanoseconds(pause).count()) return false;
  head_.last_due = time;
  return true;
}

bool Index::is_of(std::span<const Judged> reservations) const {
  Entries held;
  std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(held),
               [](const Entry& entry) { return entry.is_held(); });
  return std::equal(held.begin(), held.end(), reservations.begin(), reservations.end(),
                    [](const Entry& entry, const Judged& judged) {
                      return entry == Entry::of(judged.reservation.address, judged.reservation.owner);
                    });
}

void Index::save() {
  if (!changed_ || !is_trusted_ || !unreadable_.empty()) return;
  changed_ = false;
  const timespec now = time_by(CLOCK_REALTIME);
  const timespec times[2] = {{0, UTIME_OMIT}, now};
  if (::futimens(folder_->fd(), times) != 0) throw system_failure("set the time of " + folder_->path());
  const struct stat status = folder_->status();
  // With coarser file times, this time could not be told from that of a later change.
  if (nanoseconds(status.st_mtim) != nanoseconds(now)) return;
  head_.magic = magic;
  head_.modified = nanoseconds(status.st_mtim);
  head_.changed = nanoseconds(status.st_ctim);
  head_.checksum = checksum();
  // In place, from the first change on. A half-written file does not fit the checksum.
  const std::size_t from = kept_ * sizeof(Entry);
  overwrite_file(evidence_->make(), index_name,
                 {{0, std::as_bytes(std::span(&head_, 1))},
                  {sizeof head_ + from, std::as_bytes(std::span(entries_)).subspan(from)}},
                 0600);
}

}  // namespace onlink::ipam
