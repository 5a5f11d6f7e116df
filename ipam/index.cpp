// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/fnv.h"

namespace onlink::ipam {
namespace {

constexpr char index_name[] = "index";
constexpr std::uint64_t magic = 0x35306b6e696c6e6f;  // "onlink05"
constexpr off_t largest_file = off_t{4} << 30;       // keeps a broken size from being believed

// Runs on while the machine sleeps, and is never set: for how long an address has rested within one boot.
std::int64_t boot_time() { return nanoseconds(time_by(CLOCK_BOOTTIME)); }

// With a final mix: names that people give differ in their last letters.
std::uint64_t hash_of(const cni::Attachment& owner) {
  std::uint64_t hash = fnv1a(owner.ifname, fnv1a(std::string_view("\0", 1), fnv1a(owner.container_id)));
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  return hash ^ hash >> 33;
}

// Both families in one space: IPv4 as ::ffff:a.b.c.d, which no IPv6 address of ours is.
IpNumber key_of(const IpAddress& address) {
  return address.is_v4() ? IpNumber{0xffff} << 32 | address.number() : address.number();
}

IpAddress address_of(IpNumber key) {
  const bool is_v4 = key >> 32 == 0xffff;
  return IpAddress::from_number(is_v4 ? IpFamily::v4 : IpFamily::v6, is_v4 ? key & 0xffffffff : key);
}

struct stat status_of(const Folder& folder) {
  struct stat status {};
  if (::fstat(folder.fd(), &status) != 0) throw system_failure("stat " + folder.path());
  return status;
}

// Against accidents, not against forgers: they can write reservations here as well. One product folds in two words, and
// two such lanes do not wait for each other.
std::uint64_t checksum(std::uint64_t sum, std::span<const std::byte> bytes) {
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    const IpNumber product = IpNumber{a} * (b ^ 0x9e3779b97f4a7c15);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::uint64_t words[4] = {}, other = ~sum;
  const auto take = [&] {
    sum = fold(sum ^ words[0], words[1]);
    other = fold(other ^ words[2], words[3]);
  };
  for (; bytes.size() >= sizeof words; bytes = bytes.subspan(sizeof words)) {
    std::memcpy(words, bytes.data(), sizeof words);
    take();
  }
  std::memset(words, 0, sizeof words);
  std::memcpy(words, bytes.data(), bytes.size());
  take();
  return fold(sum, other);
}

}  // namespace

// The file: this, then the entries.
struct Index::Header {
  std::uint64_t magic;
  std::uint64_t checksum;  // of everything, with this field 0
  std::array<char, 40> boot;
  std::uint64_t folder_device;
  std::uint64_t folder_inode;
  std::int64_t modified;  // of the folder
  std::int64_t changed;
  std::int64_t last_due;
  std::uint64_t is_restore_due;
  std::uint64_t count;

  std::uint64_t sum(std::span<const std::byte> entries) const {
    Header plain = *this;
    plain.checksum = 0;
    return onlink::ipam::checksum(onlink::ipam::checksum(1, std::as_bytes(std::span(&plain, 1))), entries);
  }
};

IpAddress Index::Entry::address() const { return address_of(key()); }

Index::Entry Index::entry_of(const IpAddress& address, const cni::Attachment& owner) {
  const IpNumber key = key_of(address);
  return {static_cast<std::uint64_t>(key >> 64), static_cast<std::uint64_t>(key),
          hash_of(owner) | std::uint64_t{1} << 63};
}

template <class List>
auto Index::place_of(List& entries, const IpAddress& address) {
  return std::lower_bound(entries.begin(), entries.end(), key_of(address),
                          [](const Entry& entry, const IpNumber& key) { return entry.key() < key; });
}

bool Index::by_address(const Entry& a, const Entry& b) { return a.key() < b.key(); }

Index::Index(const Folder& folder, const Evidence& evidence) : Index(folder, evidence, Unread{}) {
  if (!load()) build();
}

// The file's content, where it is whole and of this folder and boot; entries of an older state of the folder
// are kept for build().
bool Index::load() {
  try {
    read();
  } catch (const Failure& failure) {
    entries_.clear();
    why_rebuilt_ = failure.what();
  }
  return why_rebuilt_.empty();
}

void Index::read() {
  const UniqueFd file = try_open(evidence_->fd(), index_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) throw Failure("there is no index");
  Header header{};
  const bool has_header =
      S_ISREG(status.st_mode) && status.st_size <= largest_file &&
      read_at(file.get(), std::as_writable_bytes(std::span(&header, 1)), 0, index_name) == sizeof header;
  if (!has_header || header.magic != magic ||
      header.count != (static_cast<std::uint64_t>(status.st_size) - sizeof header) / sizeof(Entry))
    throw Failure("the file is not an index");
  entries_.reserve(header.count + 16);  // additions then move nothing
  entries_.resize(header.count);
  const auto content = std::as_writable_bytes(std::span(entries_));
  (void)read_at(file.get(), content, sizeof header, index_name);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (header.checksum != header.sum(content)) throw Failure("it is damaged");
#endif
  const struct stat folder = status_of(*folder_);
  if (header.boot.back() != '\0' || evidence_->boot() != header.boot.data() ||
      header.folder_device != folder.st_dev || header.folder_inode != folder.st_ino)
    throw Failure("it belongs to another boot or folder");
  last_due_ = header.last_due;
  is_restore_due_ = header.is_restore_due != 0;
  kept_ = entries_.size();
  if (header.modified != nanoseconds(folder.st_mtim) || header.changed != nanoseconds(folder.st_ctim))
    why_rebuilt_ = "the folder was changed by others, or by a process that died";
}

// A held address that has no file now counts as released just now; a resting one goes on resting.
void Index::build() {
  kept_ = 0;
  Entries former = std::exchange(entries_, {});
  unreadable_.clear();
  for (const std::string& name : folder_->names()) {
    const auto address = Folder::address_of(name);
    const auto reservation = address ? folder_->read(*address) : std::nullopt;
    if (!reservation) continue;
    if (reservation->is_unreadable && unreadable_.empty()) unreadable_ = reservation->obstacle;
    entries_.push_back(entry_of(*address, reservation->owner));
    if (reservation->obstacle.empty() && reservation->boot.empty())
      folder_->mark_boot(*address, evidence_->boot());
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
  is_restore_due_ = true;
  changed_ = true;
}

void Index::restored() {
  changed_ = changed_ || is_restore_due_;
  is_restore_due_ = false;
}

void Index::rebuild(const std::string& why) {
  why_rebuilt_ = why;
  build();
}

std::optional<IpAddress> Index::next_free(const IpAddress& first, const IpAddress& last) const {
  const IpNumber end = key_of(last);
  auto entry = place_of(entries_, first);
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
  const std::uint64_t exact = entry_of({}, owner).value;
  const std::uint64_t by_container = entry_of({}, {owner.container_id, ""}).value;
  std::vector<IpAddress> held;
  for (const Entry& entry : entries_)
    if (entry.value == exact || entry.value == by_container) held.push_back(entry.address());
  return held;
}

std::vector<IpAddress> Index::taken() const {
  std::vector<IpAddress> all;
  for (const Entry& entry : entries_)
    if (entry.is_held()) all.push_back(entry.address());
  return all;
}

void Index::touch(Entries::iterator place) {
  changed_ = true;
  kept_ = std::min(kept_, static_cast<std::size_t>(place - entries_.begin()));
}

void Index::add(const IpAddress& address, const cni::Attachment& owner) {
  const Entry entry = entry_of(address, owner);
  const auto place = place_of(entries_, address);
  touch(place);
  if (place == entries_.end() || place->key() != entry.key())
    entries_.insert(place, entry);
  else if (!place->is_held())
    *place = entry;
  else
    rebuild("it listed " + address.to_string() + " as taken, but it was free");
}

void Index::remove(const IpAddress& address, Then then) {
  const auto place = place_of(entries_, address);
  touch(place);
  if (place == entries_.end() || place->address() != address || !place->is_held()) return;
  if (then == Then::rest)
    place->value = static_cast<std::uint64_t>(boot_time());
  else
    entries_.erase(place);
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
  if (last_due_ != 0 && time - last_due_ < std::chrono::nanoseconds(pause).count()) return false;
  last_due_ = time;
  return true;
}

Index::State Index::inspect(const Folder& folder, const Evidence& evidence,
                            std::span<const Reservation> reservations) {
  Index index(folder, evidence, Unread{});
  if (!index.load()) return {.is_wrong = false, .why_not_used = index.why_rebuilt_};
  std::erase_if(index.entries_, [](const Entry& entry) { return !entry.is_held(); });
  Entries files;
  for (const Reservation& reservation : reservations)
    files.push_back(entry_of(reservation.address, reservation.owner));
  std::sort(files.begin(), files.end(), by_address);
  return {.is_wrong = files != index.entries_, .why_not_used = {}};
}

void Index::save() {
  if (!changed_ || !is_trusted_ || !unreadable_.empty()) return;
  changed_ = false;
  const timespec now = time_by(CLOCK_REALTIME);
  const timespec times[2] = {{0, UTIME_OMIT}, now};
  if (::futimens(folder_->fd(), times) != 0) throw system_failure("set the time of " + folder_->path());
  const struct stat status = status_of(*folder_);
  // With coarser file times, this time could not be told from that of a later change.
  if (nanoseconds(status.st_mtim) != nanoseconds(now)) return;
  const auto entries = std::as_bytes(std::span(entries_));
  Header header{.magic = magic,
                .checksum = 0,
                .boot = {},
                .folder_device = status.st_dev,
                .folder_inode = status.st_ino,
                .modified = nanoseconds(status.st_mtim),
                .changed = nanoseconds(status.st_ctim),
                .last_due = last_due_,
                .is_restore_due = is_restore_due_ ? 1u : 0u,
                .count = entries_.size()};
  evidence_->boot().copy(header.boot.data(), header.boot.size() - 1);
  header.checksum = header.sum(entries);
  // In place, from the first change on. A half-written file does not fit the checksum.
  const std::size_t from = kept_ * sizeof(Entry);
  overwrite_file(evidence_->make(), index_name,
                 {{0, std::as_bytes(std::span(&header, 1))}, {sizeof header + from, entries.subspan(from)}},
                 0600);
}

}  // namespace onlink::ipam
