// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"

namespace onlink::ipam {
namespace {

constexpr char index_name[] = ".onlink-index";
constexpr char index_draft_name[] = ".onlink-index-draft";

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

struct stat status_of(const Folder& folder) {
  struct stat status {};
  if (::fstat(folder.fd(), &status) != 0) throw system_failure("stat " + folder.path());
  return status;
}

}  // namespace

struct Index::Seal {
  std::array<char, 40> boot;
  std::uint64_t folder_device;
  std::uint64_t folder_inode;
  std::int64_t modified;  // of the folder
  std::int64_t changed;
  std::int64_t last_due;  // boot time

  bool is_of(const struct stat& folder, const std::string& this_boot) const {
    return boot.back() == '\0' && this_boot == boot.data() && folder_device == folder.st_dev &&
           folder_inode == folder.st_ino;
  }
};

Index::Seal Index::seal() const {
  static_assert(sizeof(Seal) <= LeaseTable::remark_size);
  Seal seal{};
  std::memcpy(&seal, table_->remark(), sizeof seal);
  return seal;
}

void Index::set_seal(const Seal& seal) { std::memcpy(table_->edit_remark(), &seal, sizeof seal); }

Index::Index(const Folder& folder, const std::string& boot) : folder_(&folder), boot_(boot) {
  LeaseTable::Contents leftover;
  table_ = load(leftover);
  if (table_) return;
  table_ = build(std::move(leftover));
  changed_ = true;
}

std::optional<LeaseTable> Index::load(LeaseTable::Contents& leftover) {
  auto file = PagedFile::open(folder_->fd(), index_name);
  if (!file) {
    why_rebuilt_ = "there was none";
    return std::nullopt;
  }
  try {
    LeaseTable table = LeaseTable::attach(std::move(*file));
    Seal found{};
    std::memcpy(&found, table.remark(), sizeof found);
    const struct stat status = status_of(*folder_);
    if (!found.is_of(status, boot_)) {
      why_rebuilt_ = "it was of another boot or folder";
      return std::nullopt;
    }
    if (found.modified == nanoseconds(status.st_mtim) && found.changed == nanoseconds(status.st_ctim))
      return table;
    why_rebuilt_ = "the folder was changed by others, or by a process that died";
    leftover = table.contents();
  } catch (const DamagedFile& damage) {
    why_rebuilt_ = damage.what();
  }
  return std::nullopt;
}

// What was held and has no file now is taken for released just now; what was resting goes on.
LeaseTable Index::build(LeaseTable::Contents leftover) {
  LeaseTable::Contents contents;
  for (const std::string& name : folder_->names()) {
    const auto address = Folder::address_of(name);
    const auto reservation = address ? folder_->look_at(*address) : std::nullopt;
    if (!reservation) continue;
    if (reservation->is_unreadable && unreadable_.empty()) unreadable_ = reservation->obstacle;
    contents.held.push_back({*address, hash_of(reservation->owner)});
    if (reservation->obstacle.empty() && reservation->boot.empty()) folder_->mark_boot(*address, boot_);
  }
  const std::int64_t now = boot_time();
  contents.resting = std::move(leftover.resting);
  for (const LeaseTable::Lease& lease : leftover.held) contents.resting.push_back({lease.address, now});
  return LeaseTable::build(contents);
}

void Index::rebuild(const std::string& why) {
  why_rebuilt_ = why;
  LeaseTable::Contents leftover;
  try {
    leftover = table_->contents();
  } catch (const DamagedFile&) {
    // Then nothing rests: that is a courtesy.
  }
  table_ = build(std::move(leftover));
  changed_ = true;
}

template <class Question>
auto Index::ask(Question question) {
  try {
    return question(*table_);
  } catch (const DamagedFile& damage) {
    rebuild(damage.what());
  }
  return question(*table_);
}

std::optional<IpAddress> Index::next_free(const IpAddress& first, const IpAddress& last) {
  return ask([&](LeaseTable& table) { return table.next_free(first, last); });
}

std::optional<IpAddress> Index::oldest_resting(const std::function<bool(const IpAddress&)>& suits) {
  return ask([&](LeaseTable& table) { return table.oldest_resting(suits); });
}

std::vector<IpAddress> Index::held_by(const cni::Attachment& owner) {
  return ask([&](LeaseTable& table) {
    auto held = table.held_by(hash_of(owner));
    const auto by_container = table.held_by(hash_of({owner.container_id, ""}));
    held.insert(held.end(), by_container.begin(), by_container.end());
    return held;
  });
}

std::vector<IpAddress> Index::taken() {
  return ask([](LeaseTable& table) {
    std::vector<IpAddress> all;
    for (const LeaseTable::Lease& lease : table.contents().held) all.push_back(lease.address);
    std::sort(all.begin(), all.end());
    return all;
  });
}

void Index::add(const IpAddress& address, const cni::Attachment& owner) {
  changed_ = true;
  const bool is_new = ask([&](LeaseTable& table) {
    const bool held = table.is_held(address);
    if (!held) table.add(address, hash_of(owner));
    return !held;
  });
  if (!is_new) rebuild("it named " + address.to_string() + " taken, which was free");
}

void Index::remove(const IpAddress& address, const cni::Attachment& owner, Then then) {
  changed_ = true;
  ask([&](LeaseTable& table) {
    table.remove(address, hash_of(owner));
    if (then == Then::rest) table.rest(address, boot_time());
  });
}

void Index::wake(std::chrono::seconds cooldown) {
  const std::int64_t limit = boot_time() - std::chrono::nanoseconds(cooldown).count();
  ask([&](LeaseTable& table) { table.wake(limit); });
}

bool Index::is_due(std::chrono::seconds pause) {
  Seal now = seal();
  const std::int64_t time = boot_time();
  if (now.last_due != 0 && time - now.last_due < std::chrono::nanoseconds(pause).count()) return false;
  now.last_due = time;
  set_seal(now);
  return true;
}

std::vector<std::string> Index::inspect(const Folder& folder, const std::string& boot,
                                        const std::vector<Reservation>& reservations, std::string& state) {
  Index index;
  index.folder_ = &folder;
  index.boot_ = boot;
  LeaseTable::Contents leftover;
  const auto table = index.load(leftover);
  state = table ? "fits the folder" : index.why_rebuilt_;
  std::vector<std::string> faults;
  if (!table) return faults;
  try {
    std::map<IpAddress, std::uint64_t> held;
    for (const LeaseTable::Lease& lease : table->contents().held) held[lease.address] = lease.owner;
    for (const Reservation& reservation : reservations) {
      const auto lease = held.find(reservation.address);
      if (lease == held.end() || !table->is_held(reservation.address))
        faults.push_back(reservation.address.to_string() + " is reserved, but free in the index");
      else if (lease->second != hash_of(reservation.owner))
        faults.push_back(reservation.address.to_string() + " has another owner in the index");
      if (lease != held.end()) held.erase(lease);
    }
    for (const auto& [address, owner] : held)
      faults.push_back(address.to_string() + " is taken in the index, but has no file");
  } catch (const DamagedFile& damage) {
    faults.emplace_back(damage.what());
  }
  return faults;
}

void Index::save() {
  if (!changed_ || !is_trusted_ || !unreadable_.empty()) return;
  changed_ = false;
  table_->file().write_changes(folder_->fd(), index_name, index_draft_name);
  const timespec now = time_by(CLOCK_REALTIME);
  const timespec times[2] = {{0, UTIME_OMIT}, now};
  if (::futimens(folder_->fd(), times) != 0) throw system_failure("set the time of " + folder_->path());
  const struct stat status = status_of(*folder_);
  // A file system that keeps coarser times could not tell this time from that of a later change.
  if (nanoseconds(status.st_mtim) != nanoseconds(now)) return;
  Seal whole = seal();
  whole.boot.fill('\0');
  std::copy_n(boot_.begin(), std::min(boot_.size(), whole.boot.size() - 1), whole.boot.begin());
  whole.folder_device = status.st_dev;
  whole.folder_inode = status.st_ino;
  whole.modified = nanoseconds(status.st_mtim);
  whole.changed = nanoseconds(status.st_ctim);
  set_seal(whole);
  table_->file().write_first();
}

}  // namespace onlink::ipam
