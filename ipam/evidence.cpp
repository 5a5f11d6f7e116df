// SPDX-License-Identifier: Apache-2.0
#include "ipam/evidence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/text.h"

namespace onlink::ipam {
namespace {

// In each folder of records, a link to its network's folder. Without the latter, the records mean nothing.
constexpr char origin_name[] = "folder";
constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

std::string identity_of(const struct stat& status) {
  return fmt::format("{:x}.{:x}", status.st_dev, status.st_ino);
}

// A name of 255 bytes would leave no room for the identity, which alone distinguishes folders.
std::string records_name(const Folder& folder) {
  constexpr std::size_t longest = 200;
  const std::string network = folder.path().substr(folder.path().find_last_of('/') + 1);
  return fmt::format("{}.{}", network.substr(0, longest), identity_of(folder.status()));
}

// A record is a line of words, and a second one for the file: its inode, and its time, written when the reservation is
// whole. Words have no blanks; an empty one is "-".
std::string to_text(const Record& record) {
  const auto word = [](const std::string& text) { return text.empty() ? "-" : text; };
  return fmt::format("{} {} {} {} {} {}\n{} ", word(record.owner.container_id), word(record.owner.ifname),
                     word(record.boot), record.made, word(record.home), word(record.interface),
                     record.file.inode);
}

// A truncated text is no record.
std::optional<Record> from_text(std::string_view text) {
  auto words = split(text);
  if (words.size() == 7 && text.ends_with(' '))
    words.emplace_back("0");
  else if (words.size() != 8 || !text.ends_with('\n'))
    return std::nullopt;
  const auto text_of = [&](std::size_t i) { return std::string(words[i] == "-" ? "" : words[i]); };
  const auto made = to_number<std::int64_t>(words[3]);
  const auto inode = to_number<std::uint64_t>(words[6]);
  const auto modified = to_number<std::int64_t>(words[7]);
  if (!made || !inode || !modified) return std::nullopt;
  return Record{{text_of(0), text_of(1)}, text_of(2), *made, text_of(4), text_of(5), {*inode, *modified}};
}

// Whether the record is of this reservation, not of an earlier one of its address. One whose maker was killed as it
// filled the file is of a file from that very moment.
bool is_of(const Record& record, const Reservation& reservation) {
  constexpr std::int64_t moment = 1'000'000'000;
  const std::int64_t filled = reservation.file.modified;
  return record.owner == reservation.owner && record.file.inode == reservation.file.inode &&
         (record.file.modified == 0 ? std::abs(filled - record.made) < moment
                                    : record.file.modified == filled);
}

// Nothing is known then of what may be there.
bool is_for_now(int error) { return error == EMFILE || error == ENFILE || error == EIO || error == ENOMEM; }

}  // namespace

std::string read_boot_id() try {
  return std::string(trimmed(read_existing_file("/proc/sys/kernel/random/boot_id")));
} catch (const Failure& failure) {
  if (failure.error() != EINVAL) throw;
  return {};  // no regular file: runtimes mask files with /dev/null
}

Evidence::Evidence(const std::string& run_dir, const Folder& folder, HostEnds* host_ends)
    : path_(run_dir + "/ipam/" + records_name(folder)),
      data_path_(folder.path()),
      boot_(read_boot_id()),
      host_ends_(host_ends),
      home_(host_ends != nullptr ? host_ends->home() : ""),
      directory_(try_open(AT_FDCWD, path_.c_str(), directory_flags)) {
  if (!directory_ && is_for_now(errno)) throw system_failure("open " + path_);
}

int Evidence::make() const {
  if (!directory_) {
    make_directories(path_, 0700);
    directory_ = open_file(AT_FDCWD, path_, directory_flags);
  }
  return fd();
}

bool Evidence::is_settled() const {
  std::array<char, PATH_MAX> text{};
  if (!data_path_.starts_with('/')) return true;
  const ssize_t size = ::readlinkat(fd(), origin_name, text.data(), text.size());
  return size > 0 && data_path_ == std::string_view(text.data(), static_cast<std::size_t>(size));
}

void Evidence::settle() const {
  // A link exists whole or not at all. Another network's process may sweep away a folder that is still empty
  // (below): it is created again.
  for (int tries = 1; !is_settled(); ++tries) {
    (void)::unlinkat(make(), origin_name, 0);
    if (::symlinkat(data_path_.c_str(), fd(), origin_name) == 0 || errno == EEXIST) break;
    if (errno != ENOENT || tries == 10) throw system_failure("link " + path_ + "/" + origin_name);
    directory_ = UniqueFd{};
  }
  const std::string folders = folder_of(path_);
  const UniqueFd parent = open_file(AT_FDCWD, folders, O_RDONLY | O_DIRECTORY);
  for (const std::string& name : names_in(parent.get(), folders)) {
    if (path_.ends_with("/" + name)) continue;
    const UniqueFd records = try_open(parent.get(), name.c_str(), directory_flags);
    struct stat status {};
    const auto look = [&](int flags) { return ::fstatat(records.get(), origin_name, &status, flags) == 0; };
    if (!records) continue;
    if (look(AT_SYMLINK_NOFOLLOW)) {
      if (!S_ISLNK(status.st_mode)) continue;
      if (look(0) ? name.ends_with("." + identity_of(status)) : errno != ENOENT) continue;
      // The link last: a process killed in between leaves a folder that can still be recognised.
      for (const std::string& file : names_in(records.get(), name))
        if (file != origin_name) (void)::unlinkat(records.get(), file.c_str(), 0);
      (void)::unlinkat(records.get(), origin_name, 0);
    }
    // Without a link it is removed only if empty: its maker, or its sweeper, was killed.
    (void)::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
  }
}

Evidence::Claim Evidence::claim(const IpAddress& address, const cni::Attachment& owner,
                                const FileId& begun) const {
  const Record record{owner,
                      boot_,
                      nanoseconds(time_by(CLOCK_REALTIME)),
                      home_,
                      host_ends_ != nullptr ? host_ends_->name_of(owner) : "",
                      begun};
  const int directory = make();
  const std::string name = address.to_string();
  // An existing file is replaced, not written to: it may be a link to anything.
  (void)::unlinkat(directory, name.c_str(), 0);
  UniqueFd fd = open_file(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  // Locked before anything is in it: an unlocked record means that its maker is dead.
  lock_new_file(fd.get(), "the record of " + name);
  write_all(fd.get(), to_text(record), path_ + "/" + name);
  return fd;
}

void Evidence::complete(const Claim& claim, const FileId& reservation) {
  write_all(claim.get(), fmt::format("{}\n", reservation.modified), "a record");
}

bool Evidence::remove(const IpAddress& address) const noexcept {
  return !directory_ || ::unlinkat(fd(), address.to_string().c_str(), 0) == 0 || errno == ENOENT;
}

std::optional<Record> Evidence::load(const IpAddress& address) const {
  const std::string name = address.to_string();
  const UniqueFd file = try_open(fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file && is_for_now(errno)) throw system_failure("open the record of " + name);
  if (!file) return std::nullopt;
  auto record = from_text(read_all(file.get(), name));
  if (record) record->is_being_made = is_locked(file.get(), "the record of " + name);
  return record;
}

std::vector<std::string> Evidence::names() const {
  return directory_ ? names_in(fd(), path_) : std::vector<std::string>{};
}

bool Evidence::is_of_earlier_boot(const Judged& judged) const {
  const auto& record = judged.record;
  struct statfs system {};
  if (record && ::fstatfs(fd(), &system) == 0 && system.f_type == TMPFS_MAGIC) return false;
  const std::string& boot = record ? record->boot : judged.reservation.boot;
  return !boot.empty() && !boot_.empty() && boot != boot_;
}

// The verdict where the attachment has no host end.
Verdict Evidence::suspect(const Judged& judged) const {
  using enum Verdict::State;
  const auto& [reservation, record, verdict, made] = judged;
  if (!reservation.obstacle.empty()) return {unknown, reservation.obstacle + " is in the way"};
  if (judged.is_being_made()) return {alive, "its ADD is running"};
  const bool by_onlink = record && !record->home.empty();
  if (by_onlink && record->home == home_)
    return {stale, fmt::format("its interface {} is gone", record->interface)};
  // Also where the boots differ: a container may have its own boot_id.
  if (by_onlink && (host_ends_ != nullptr || record->boot == boot_))
    return {unknown, fmt::format("its interface {} is in another network namespace", record->interface)};
  if (is_of_earlier_boot(judged)) return {stale, "it was made in an earlier boot"};
  if (reservation.owner.container_id.empty()) return {stale, "the file is empty: its maker died"};
  return {unknown, "nothing shows whether its attachment is alive"};
}

Judged Evidence::look_at(const Reservation& reservation) const {
  // A file's time is that of the last tick.
  timespec tick{};
  ::clock_getres(CLOCK_REALTIME_COARSE, &tick);
  Judged judged{reservation, {}, {}, reservation.file.modified + nanoseconds(tick)};
  try {
    if (auto record = load(reservation.address); record && is_of(*record, reservation)) {
      judged.made = record->made;
      judged.record = std::move(record);
    }
  } catch (const Failure& failure) {
    // A broken record is no evidence. But without one that is there, it would look newer than it is, and as if nobody
    // were making it.
    if (failure.kind() == FailureKind::try_again || is_for_now(failure.error()))
      return {reservation, {}, {Verdict::State::unknown, failure.what()}, {}};
  }
  judged.verdict = suspect(judged);
  return judged;
}

std::vector<Judged> Evidence::judge(const std::vector<Reservation>& reservations) const {
  std::vector<Judged> all;
  std::vector<HostEnds::Suspect> suspects;
  std::vector<std::size_t> places;
  // The kernel is asked last, so that it shows what an ADD made before it ended.
  for (const Reservation& reservation : reservations) {
    const Judged& judged = all.emplace_back(look_at(reservation));
    if (!judged.verdict.is_stale()) continue;
    suspects.push_back({judged.reservation.owner, judged.record ? judged.record->interface : ""});
    places.push_back(all.size() - 1);
  }
  if (host_ends_ == nullptr || suspects.empty()) return all;
  try {
    const std::vector<bool> exist = host_ends_->exist(suspects);
    for (std::size_t i = 0; i < places.size(); ++i)
      if (exist[i]) all[places[i]].verdict = {Verdict::State::alive, "its interface is there"};
  } catch (const Failure& failure) {
    for (const std::size_t place : places) all[place].verdict = {Verdict::State::unknown, failure.what()};
  }
  return all;
}

}  // namespace onlink::ipam
