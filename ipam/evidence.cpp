// SPDX-License-Identifier: Apache-2.0
#include "ipam/evidence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"

namespace onlink::ipam {
namespace {

// Where a folder of records belongs to: a link to its network's folder. Without that one it means nothing.
constexpr char origin_name[] = "folder";

std::string identity_of(const struct stat& status) {
  return fmt::format("{:x}.{:x}", status.st_dev, status.st_ino);
}

std::string records_name(const Folder& folder) {
  struct stat status {};
  if (::fstat(folder.fd(), &status) != 0) throw system_failure("stat " + folder.path());
  const std::string network = folder.path().substr(folder.path().find_last_of('/') + 1);
  return fmt::format("{}.{}", network, identity_of(status));
}

// A record is lines of "key value", in a fixed order; a line that is different makes it unreadable, and that
// is no record. The last line, that of the file, is written when the reservation is whole.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  std::string_view next(std::string_view key) {
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    good_ = good_ && line.size() < rest_.size() && line.starts_with(key) && line.size() > key.size() &&
            line[key.size()] == ' ';
    rest_.remove_prefix(std::min(rest_.size(), line.size() + 1));
    return good_ ? line.substr(key.size() + 1) : std::string_view{};
  }

  template <class Number>
  Number number(std::string_view key) {
    const std::string_view text = next(key);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    good_ = good_ && error == std::errc{} && end == text.data() + text.size();
    return value;
  }

  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::string to_text(const Record& record) {
  return fmt::format("container {}\nifname {}\nboot {}\nmade {}\nhome {}\ninterface {}\n",
                     record.owner.container_id, record.owner.ifname, record.boot, record.made, record.home,
                     record.interface);
}

std::string to_text(const FileId& file) {
  return fmt::format("file-inode {}\nfile-modified {}\n", file.inode, file.modified);
}

std::optional<Record> from_text(std::string_view text) {
  Lines lines(text);
  Record record;
  record.owner.container_id = lines.next("container");
  record.owner.ifname = lines.next("ifname");
  record.boot = lines.next("boot");
  record.made = lines.number<std::int64_t>("made");
  record.home = lines.next("home");
  record.interface = lines.next("interface");
  if (!lines.at_end())
    record.file = {lines.number<std::uint64_t>("file-inode"), lines.number<std::int64_t>("file-modified")};
  return lines.good() ? std::optional(record) : std::nullopt;
}

// Whether a reservation may be what a killed maker has written of the record's.
bool is_part_of(const cni::Attachment& written, const cni::Attachment& owner) {
  if (written.container_id == owner.container_id) return owner.ifname.starts_with(written.ifname);
  return written.ifname.empty() && owner.container_id.starts_with(written.container_id);
}

// Of the whole file, by its open description: it goes with the last descriptor (fcntl(2), F_OFD_SETLK).
struct flock lock_of(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

std::string read_boot_id() {
  const UniqueFd fd = open_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
  std::string id = read_all(fd.get(), "boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

Evidence::Evidence(const std::string& run_dir, const Folder& folder, HostEnds* host_ends)
    : path_(run_dir + "/ipam/" + records_name(folder)),
      data_path_(folder.path()),
      boot_(read_boot_id()),
      host_ends_(host_ends) {}

const UniqueFd* Evidence::open(bool create) const {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  if (!directory_) {
    auto found = open_if_exists(AT_FDCWD, path_, flags);
    if (!found && create) {
      make_directories(path_, 0700);
      found = open_file(AT_FDCWD, path_, flags);
    }
    if (found) directory_ = std::move(*found);
  }
  return directory_ ? &directory_ : nullptr;
}

void Evidence::settle() const {
  // A link is there whole or not at all. A folder that is still empty may be swept away by another network's
  // process (below): it is made again.
  for (int tries = 1; data_path_.starts_with('/'); ++tries) {
    if (::symlinkat(data_path_.c_str(), open(true)->get(), origin_name) == 0 || errno == EEXIST) break;
    if (errno != ENOENT || tries == 10) throw system_failure("link " + path_ + "/" + origin_name);
    directory_ = UniqueFd{};
  }
  const std::string folders = folder_of(path_);
  const UniqueFd parent = open_file(AT_FDCWD, folders, O_RDONLY | O_DIRECTORY);
  for (const std::string& name : names_in(parent.get(), folders)) {
    if (path_.ends_with("/" + name)) continue;
    const UniqueFd records = try_open(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status {};
    const auto look = [&](int flags) { return ::fstatat(records.get(), origin_name, &status, flags) == 0; };
    if (!records) continue;
    if (look(AT_SYMLINK_NOFOLLOW)) {
      if (!S_ISLNK(status.st_mode)) continue;
      if (look(0) ? name.ends_with("." + identity_of(status)) : errno != ENOENT) continue;
      // The link last: who is killed in between leaves a folder that is known for what it is.
      for (const std::string& file : names_in(records.get(), name))
        if (file != origin_name) (void)::unlinkat(records.get(), file.c_str(), 0);
      (void)::unlinkat(records.get(), origin_name, 0);
    }
    // Without a link it goes only where it is empty: who made it, or swept it, was killed.
    (void)::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
  }
}

Evidence::Claim Evidence::claim(const IpAddress& address, const cni::Attachment& owner) const {
  Record record{owner, boot_, nanoseconds(time_by(CLOCK_REALTIME)), {}, {}, {}};
  if (host_ends_ != nullptr) {
    record.home = host_ends_->home();
    record.interface = host_ends_->name_of(owner);
  }
  const UniqueFd& directory = *open(true);
  const std::string name = address.to_string();
  // What is there under the name is replaced, not written into: it may be a link to anything.
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  UniqueFd fd = try_open(directory.get(), name.c_str(), flags, 0600);
  if (!fd) {
    (void)::unlinkat(directory.get(), name.c_str(), 0);
    fd = open_file(directory.get(), name, flags, 0600);
  }
  // Before anything is in it: who finds it unlocked takes its maker for dead.
  struct flock whole = lock_of(F_WRLCK);
  if (::fcntl(fd.get(), F_OFD_SETLK, &whole) != 0) throw system_failure("lock the record of " + name);
  write_all(fd.get(), to_text(record), path_ + "/" + name);
  return {std::move(fd)};
}

void Evidence::complete(const Claim& claim, const FileId& reservation) {
  write_all(claim.record.get(), to_text(reservation), "a record");
}

bool Evidence::remove(const IpAddress& address) noexcept {
  try {
    const UniqueFd* directory = open(false);
    return directory == nullptr || ::unlinkat(directory->get(), address.to_string().c_str(), 0) == 0 ||
           errno == ENOENT;
  } catch (const Failure&) {
    return false;
  }
}

std::optional<Record> Evidence::read(const IpAddress& address) const {
  try {
    const UniqueFd* directory = open(false);
    const auto text = directory != nullptr ? read_file(directory->get(), address.to_string()) : std::nullopt;
    return text ? from_text(*text) : std::nullopt;
  } catch (const Failure&) {
    return std::nullopt;  // no evidence, then: nothing is taken back because its record is broken
  }
}

std::optional<Record> Evidence::record_of(const Reservation& reservation) const {
  auto record = read(reservation.address);
  if (!record) return std::nullopt;
  const bool is_its = record->file ? *record->file == reservation.file && record->owner == reservation.owner
                                   : is_part_of(reservation.owner, record->owner);
  return is_its ? std::move(record) : std::nullopt;
}

std::vector<std::string> Evidence::names() const {
  const UniqueFd* directory = open(false);
  return directory != nullptr ? names_in(directory->get(), path_) : std::vector<std::string>{};
}

// Asked without taking the lock: that could be in its maker's way.
bool Evidence::is_being_made(const IpAddress& address) const {
  const UniqueFd fd =
      try_open(open(false)->get(), address.to_string().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct flock held = lock_of(F_RDLCK);
  return fd && (::fcntl(fd.get(), F_OFD_GETLK, &held) != 0 || held.l_type != F_UNLCK);
}

// The verdict where the attachment has no end on the host.
Verdict Evidence::suspect(const Reservation& reservation, const std::optional<Record>& record) const {
  using enum Verdict::State;
  if (!reservation.obstacle.empty()) return {unknown, reservation.obstacle + " is in the way"};
  const bool by_onlink = record && !record->home.empty();
  if (by_onlink && is_being_made(reservation.address)) return {alive, "its ADD is running"};
  if (by_onlink && host_ends_ != nullptr && record->home == host_ends_->home())
    return {stale, fmt::format("its interface {} is gone", record->interface)};
  // Also where boots differ: a container may have a boot_id of its own.
  if (by_onlink && (host_ends_ != nullptr || record->boot == boot_))
    return {unknown, fmt::format("its interface {} is in another network namespace", record->interface)};
  const std::string& boot = record ? record->boot : reservation.boot;
  if (!boot.empty() && boot != boot_) return {stale, "it was made in an earlier boot"};
  if (reservation.owner.container_id.empty()) return {stale, "the file is empty: its maker died"};
  return {unknown, "nothing tells whether its attachment lives"};
}

std::vector<Verdict> Evidence::judge(std::span<const Reservation> reservations) const {
  std::vector<Verdict> verdicts;
  std::vector<HostEnds::Suspect> suspects;
  std::vector<std::size_t> places;
  // The kernel is asked last: what an ADD makes before it ends is seen then.
  for (const Reservation& reservation : reservations) {
    const auto record = record_of(reservation);
    verdicts.push_back(suspect(reservation, record));
    if (!verdicts.back().is_stale()) continue;
    suspects.push_back({record ? record->owner : reservation.owner, record ? record->interface : ""});
    places.push_back(verdicts.size() - 1);
  }
  if (host_ends_ == nullptr || suspects.empty()) return verdicts;
  std::vector<bool> exist;
  std::string unknown;
  try {
    exist = host_ends_->exist(suspects);
  } catch (const Failure& failure) {
    unknown = failure.what();
  }
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    Verdict& verdict = verdicts[places[i]];
    if (!unknown.empty())
      verdict = {Verdict::State::unknown, unknown};
    else if (exist[i])
      verdict = {Verdict::State::alive, "its interface is there"};
  }
  return verdicts;
}

std::int64_t Evidence::made(const Reservation& reservation) const {
  if (const auto record = record_of(reservation); record && record->boot == boot_) return record->made;
  // The time of a file is that of the last tick.
  timespec tick{};
  ::clock_getres(CLOCK_REALTIME_COARSE, &tick);
  return reservation.file.modified + nanoseconds(tick);
}

}  // namespace onlink::ipam
