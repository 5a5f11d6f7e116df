// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/uninterrupted.h"

namespace onlink::ipam {
namespace {

constexpr char index_name[] = "index";
constexpr std::uint64_t magic = 0x32306b6e696c6e6f;  // "onlink02"
constexpr off_t largest_file = off_t{4} << 30;       // keeps a broken size from being believed

// Goes on while the machine sleeps and is never set: for how long an address has rested within one boot.
std::int64_t boot_time() { return nanoseconds(time_by(CLOCK_BOOTTIME)); }

// FNV-1a with a final mix: names that people give differ in their last letters.
std::uint64_t hash_of(const cni::Attachment& owner) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : owner.container_id) add(static_cast<unsigned char>(c));
  add(0);
  for (const char c : owner.ifname) add(static_cast<unsigned char>(c));
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

// Against accidents, not against forgers: whoever can write here can write reservations as well.
std::uint64_t checksum(std::uint64_t sum, std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at + sizeof sum <= bytes.size(); at += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15;
    sum ^= sum >> 29;
  }
  return sum;
}

}  // namespace

// The file: this, then the entries that are held, then those that are resting.
struct Index::Header {
  std::uint64_t magic;
  std::uint64_t checksum;  // of everything, this being 0
  std::array<char, 40> boot;
  std::uint64_t folder_device;
  std::uint64_t folder_inode;
  std::int64_t modified;  // of the folder
  std::int64_t changed;
  std::int64_t last_due;
  std::uint64_t held;
  std::uint64_t resting;

  std::uint64_t sum(const Entries& held_entries, const Entries& resting_entries) const {
    Header plain = *this;
    plain.checksum = 0;
    std::uint64_t result = onlink::ipam::checksum(1, std::as_bytes(std::span(&plain, 1)));
    result = onlink::ipam::checksum(result, std::as_bytes(std::span(held_entries)));
    return onlink::ipam::checksum(result, std::as_bytes(std::span(resting_entries)));
  }
};

Index::Index(const Folder& folder, const Evidence& evidence) : Index(folder, evidence, Unread{}) {
  if (!load()) build();
}

// The file's content, where it is whole and of this folder and boot.
bool Index::load() {
  try {
    return read();
  } catch (const Failure& failure) {
    why_rebuilt_ = failure.what();
  }
  held_.clear();
  resting_.clear();
  return false;
}

bool Index::read() {
  const UniqueFd* records = evidence_->open(false);
  const UniqueFd file = records != nullptr
                            ? try_open(records->get(), index_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                            : UniqueFd();
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) throw Failure("there was none");
  Header header{};
  const bool has_header =
      S_ISREG(status.st_mode) && status.st_size <= largest_file &&
      read_at(file.get(), std::as_writable_bytes(std::span(&header, 1)), 0, index_name) == sizeof header;
  const auto entries = (static_cast<std::uint64_t>(status.st_size) - sizeof header) / sizeof(Entry);
  if (!has_header || header.magic != magic || header.held > entries ||
      header.resting != entries - header.held)
    throw Failure("it is not one");
  held_.resize(header.held);
  resting_.resize(header.resting);
  const off_t held_at = sizeof header;
  const off_t resting_at = held_at + static_cast<off_t>(header.held * sizeof(Entry));
  (void)read_at(file.get(), std::as_writable_bytes(std::span(held_)), held_at, index_name);
  (void)read_at(file.get(), std::as_writable_bytes(std::span(resting_)), resting_at, index_name);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (header.checksum != header.sum(held_, resting_)) throw Failure("it is damaged");
#endif
  const struct stat folder = status_of(*folder_);
  if (header.boot.back() != '\0' || evidence_->boot() != header.boot.data() ||
      header.folder_device != folder.st_dev || header.folder_inode != folder.st_ino)
    throw Failure("it was of another boot or folder");
  last_due_ = header.last_due;
  if (header.modified == nanoseconds(folder.st_mtim) && header.changed == nanoseconds(folder.st_ctim))
    return true;
  why_rebuilt_ = "the folder was changed by others, or by a process that died";
  return false;
}

// What was held and has no file now is taken for released just now; what was resting goes on.
void Index::build() {
  Entries left = std::move(held_);
  held_.clear();
  unreadable_.clear();
  for (const std::string& name : folder_->names()) {
    const auto address = Folder::address_of(name);
    const auto reservation = address ? folder_->look_at(*address) : std::nullopt;
    if (!reservation) continue;
    if (reservation->is_unreadable && unreadable_.empty()) unreadable_ = reservation->obstacle;
    const IpNumber key = key_of(*address);
    held_.push_back({static_cast<std::uint64_t>(key >> 64), static_cast<std::uint64_t>(key),
                     hash_of(reservation->owner)});
    if (reservation->obstacle.empty() && reservation->boot.empty())
      folder_->mark_boot(*address, evidence_->boot());
  }
  const auto by_key = [](const Entry& a, const Entry& b) { return a.key() < b.key(); };
  std::sort(held_.begin(), held_.end(), by_key);
  for (Entry& entry : left) entry.value = static_cast<std::uint64_t>(boot_time());
  resting_.insert(resting_.end(), left.begin(), left.end());
  std::stable_sort(resting_.begin(), resting_.end(), by_key);
  const auto same = [](const Entry& a, const Entry& b) { return a.key() == b.key(); };
  resting_.erase(std::unique(resting_.begin(), resting_.end(), same), resting_.end());
  std::erase_if(resting_, [&](const Entry& entry) {
    return std::binary_search(held_.begin(), held_.end(), entry, by_key);
  });
  changed_ = true;
}

void Index::rebuild(const std::string& why) {
  why_rebuilt_ = why;
  build();
}

Index::Entries::iterator Index::place_of(Entries& entries, const IpAddress& address) {
  return std::lower_bound(entries.begin(), entries.end(), key_of(address),
                          [](const Entry& entry, const IpNumber& key) { return entry.key() < key; });
}

std::optional<IpAddress> Index::next_free(const IpAddress& first, const IpAddress& last) const {
  const auto from = [&](const Entries& entries) {
    return entries.begin() +
           (place_of(const_cast<Entries&>(entries), first) - const_cast<Entries&>(entries).begin());
  };
  auto held = from(held_);
  auto resting = from(resting_);
  for (IpNumber key = key_of(first);; ++key) {
    const bool is_held = held != held_.end() && held->key() == key;
    const bool is_resting = resting != resting_.end() && resting->key() == key;
    if (!is_held && !is_resting) return address_of(key);
    if (key == key_of(last)) return std::nullopt;
    held += is_held ? 1 : 0;
    resting += is_resting ? 1 : 0;
  }
}

std::optional<IpAddress> Index::oldest_resting(const std::function<bool(const IpAddress&)>& suits) const {
  const Entry* oldest = nullptr;
  for (const Entry& entry : resting_)
    if ((oldest == nullptr || entry.value < oldest->value) && suits(address_of(entry.key()))) oldest = &entry;
  return oldest != nullptr ? std::optional(address_of(oldest->key())) : std::nullopt;
}

std::vector<IpAddress> Index::held_by(const cni::Attachment& owner) const {
  const std::uint64_t exact = hash_of(owner);
  const std::uint64_t by_container = hash_of({owner.container_id, ""});
  std::vector<IpAddress> held;
  for (const Entry& entry : held_)
    if (entry.value == exact || entry.value == by_container) held.push_back(address_of(entry.key()));
  return held;
}

std::vector<IpAddress> Index::taken() const {
  std::vector<IpAddress> all;
  for (const Entry& entry : held_) all.push_back(address_of(entry.key()));
  return all;
}

void Index::add(const IpAddress& address, const cni::Attachment& owner) {
  changed_ = true;
  const IpNumber key = key_of(address);
  if (const auto place = place_of(resting_, address); place != resting_.end() && place->key() == key)
    resting_.erase(place);
  const auto place = place_of(held_, address);
  if (place != held_.end() && place->key() == key)
    return rebuild("it named " + address.to_string() + " taken, which was free");
  held_.insert(place,
               {static_cast<std::uint64_t>(key >> 64), static_cast<std::uint64_t>(key), hash_of(owner)});
}

void Index::remove(const IpAddress& address, Then then) {
  changed_ = true;
  const auto place = place_of(held_, address);
  if (place == held_.end() || place->key() != key_of(address)) return;
  Entry entry = *place;
  held_.erase(place);
  entry.value = static_cast<std::uint64_t>(boot_time());
  if (then == Then::rest) resting_.insert(place_of(resting_, address), entry);
}

void Index::wake(std::chrono::seconds cooldown) {
  const std::int64_t limit = boot_time() - std::chrono::nanoseconds(cooldown).count();
  std::erase_if(resting_,
                [&](const Entry& entry) { return static_cast<std::int64_t>(entry.value) <= limit; });
}

bool Index::is_due(std::chrono::seconds pause) {
  const std::int64_t time = boot_time();
  if (last_due_ != 0 && time - last_due_ < std::chrono::nanoseconds(pause).count()) return false;
  last_due_ = time;
  return true;
}

std::vector<std::string> Index::inspect(const Folder& folder, const Evidence& evidence,
                                        const std::vector<Reservation>& reservations, std::string& state) {
  Index index(folder, evidence, Unread{});
  const bool fits = index.load();
  state = fits ? "fits the folder" : index.why_rebuilt_;
  std::vector<std::string> faults;
  if (!fits) return faults;
  auto entry = index.held_.begin();
  const auto without_file = [&](const IpNumber& before) {
    for (; entry != index.held_.end() && entry->key() < before; ++entry)
      faults.push_back(address_of(entry->key()).to_string() + " is taken in the index, but has no file");
  };
  for (const Reservation& reservation : reservations) {
    const IpNumber key = key_of(reservation.address);
    without_file(key);
    if (entry == index.held_.end() || entry->key() != key) {
      faults.push_back(reservation.address.to_string() + " is reserved, but free in the index");
      continue;
    }
    if (entry->value != hash_of(reservation.owner))
      faults.push_back(reservation.address.to_string() + " has another owner in the index");
    ++entry;
  }
  without_file(~IpNumber{0});
  return faults;
}

void Index::save() {
  if (!changed_ || !is_trusted_ || !unreadable_.empty()) return;
  changed_ = false;
  const timespec now = time_by(CLOCK_REALTIME);
  const timespec times[2] = {{0, UTIME_OMIT}, now};
  if (::futimens(folder_->fd(), times) != 0) throw system_failure("set the time of " + folder_->path());
  const struct stat status = status_of(*folder_);
  // A file system that keeps coarser times could not tell this time from that of a later change.
  if (nanoseconds(status.st_mtim) != nanoseconds(now)) return;
  Header header{magic,
                0,
                {},
                status.st_dev,
                status.st_ino,
                nanoseconds(status.st_mtim),
                nanoseconds(status.st_ctim),
                last_due_,
                held_.size(),
                resting_.size()};
  evidence_->boot().copy(header.boot.data(), header.boot.size() - 1);
  header.checksum = header.sum(held_, resting_);
  std::vector<std::byte> content(sizeof header + (held_.size() + resting_.size()) * sizeof(Entry));
  std::memcpy(content.data(), &header, sizeof header);
  if (!held_.empty()) std::memcpy(content.data() + sizeof header, held_.data(), held_.size() * sizeof(Entry));
  if (!resting_.empty())
    std::memcpy(content.data() + sizeof header + held_.size() * sizeof(Entry), resting_.data(),
                resting_.size() * sizeof(Entry));
  // Written in place: a file in memory keeps its pages so. Half of it would not fit the checksum.
  const UniqueFd file =
      open_file(evidence_->open(true)->get(), index_name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
  struct stat written {};
  if (::fstat(file.get(), &written) != 0 || !S_ISREG(written.st_mode) || written.st_nlink != 1)
    throw Failure(evidence_->path() + "/index is not a file of its own (a link?)");
  write_at(file.get(), content, 0, "the index");
  const auto size = static_cast<off_t>(content.size());
  if (written.st_size > size && uninterrupted([&] { return ::ftruncate(file.get(), size); }) != 0)
    throw system_failure("truncate the index");
}

}  // namespace onlink::ipam
