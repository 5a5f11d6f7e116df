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

// Told since Linux 5.8. /proc/self/ns/mnt would tell mount namespaces apart as well, at ten times the cost.
std::uint64_t root_mount() {
  struct statx status {};
  const bool told = ::statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, STATX_MNT_ID, &status) == 0 &&
                    (status.stx_mask & STATX_MNT_ID) != 0;
  return told ? status.stx_mnt_id : 0;
}

std::string folder_name(const std::string& network, int folder) {
  struct stat status {};
  if (::fstat(folder, &status) != 0) throw system_failure("stat the folder of network " + network);
  return fmt::format("{}.{:x}.{:x}", network, status.st_dev, status.st_ino);
}

// A record is lines of "key value", in a fixed order; a line that is missing or different makes it
// unreadable, and that is no record.
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

  bool good() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::string to_text(const Record& record) {
  return fmt::format(
      "container {}\nifname {}\nboot {}\nfile-inode {}\nfile-modified {}\nmaker {}\nroot-mount {}\nnetns "
      "{}\n"
      "netns-device {}\nnetns-inode {}\nnetns-since {}\n",
      record.owner.container_id, record.owner.ifname, record.boot, record.file.inode, record.file.modified,
      record.maker, record.root_mount, record.netns, record.netns_id.device, record.netns_id.inode,
      record.netns_id.since);
}

std::optional<Record> from_text(std::string_view text) {
  Lines lines(text);
  Record record;
  record.owner.container_id = lines.next("container");
  record.owner.ifname = lines.next("ifname");
  record.boot = lines.next("boot");
  record.file.inode = lines.number<std::uint64_t>("file-inode");
  record.file.modified = lines.number<std::int64_t>("file-modified");
  record.maker = lines.number<std::int64_t>("maker");
  record.root_mount = lines.number<std::uint64_t>("root-mount");
  record.netns = lines.next("netns");
  record.netns_id.device = lines.number<std::uint64_t>("netns-device");
  record.netns_id.inode = lines.number<std::uint64_t>("netns-inode");
  record.netns_id.since = lines.number<std::int64_t>("netns-since");
  return lines.good() ? std::optional(record) : std::nullopt;
}

}  // namespace

std::string read_boot_id() {
  const UniqueFd fd = open_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
  std::string id = read_all(fd.get(), "boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::optional<NamespaceId> identify_namespace(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ESRCH) return std::nullopt;
    throw system_failure("stat " + path);
  }
  const bool is_mount = !path.starts_with("/proc/");
  return NamespaceId{status.st_dev, status.st_ino, is_mount ? nanoseconds(status.st_mtim) : 0};
}

Evidence::Evidence(const std::string& run_dir, const std::string& network, int folder)
    : path_(run_dir + "/ipam/" + folder_name(network, folder)),
      boot_(read_boot_id()),
      root_mount_(root_mount()) {}

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

Record Evidence::observe(const cni::Attachment& owner, const std::string& netns) const {
  Record record{owner, {}, boot_, ::getpid(), root_mount_, {}, {}};
  // The path ends a line of the record: one that does not fit there is not remembered.
  if (netns.empty() || netns.find('\n') != std::string::npos) return record;
  try {
    if (const auto id = identify_namespace(netns)) {
      record.netns = netns;
      record.netns_id = *id;
    }
  } catch (const Failure&) {
    // It cannot be looked at, so it can never be proved gone.
  }
  return record;
}

void Evidence::write(const IpAddress& address, const Record& record) {
  const UniqueFd& directory = *open(true);
  const std::string name = address.to_string();
  // What is there under the name is replaced, not written into: it may be a link to anything.
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  UniqueFd fd = try_open(directory.get(), name.c_str(), flags, 0600);
  if (!fd) {
    (void)::unlinkat(directory.get(), name.c_str(), 0);
    fd = open_file(directory.get(), name, flags, 0600);
  }
  write_all(fd.get(), to_text(record), path_ + "/" + name);
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
  const UniqueFd* directory = open(false);
  if (directory == nullptr) return std::nullopt;
  const auto fd = open_if_exists(directory->get(), address.to_string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return fd ? from_text(read_all(fd->get(), path_ + "/" + address.to_string())) : std::nullopt;
}

std::optional<Record> Evidence::record_of(const Reservation& reservation) const {
  std::optional<Record> record;
  try {
    record = read(reservation.address);
  } catch (const Failure&) {
    // No evidence, then: nothing is taken back because its record is broken.
  }
  if (record && (record->file != reservation.file || record->owner != reservation.owner)) record.reset();
  return record;
}

std::vector<std::string> Evidence::names() const {
  const UniqueFd* directory = open(false);
  return directory != nullptr ? names_in(directory->get(), path_) : std::vector<std::string>{};
}

bool Evidence::is_inhabited(std::uint64_t network_namespace) const {
  if (!inhabited_) {
    inhabited_.emplace();
    const UniqueFd proc = open_file(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
    for (const std::string& name : names_in(proc.get(), "/proc")) {
      struct stat status {};
      const std::string path = name + "/ns/net";
      if (name.find_first_not_of("0123456789") == std::string::npos &&
          ::fstatat(proc.get(), path.c_str(), &status, 0) == 0)
        inhabited_->insert(status.st_ino);
    }
  }
  return inhabited_->count(network_namespace) != 0;
}

Verdict Evidence::judge_namespace(const Record& record, const IpAddress& address) const {
  using enum Verdict::State;
  if (record.netns.empty()) return {unknown, "its namespace was not known when it was made"};
  if (record.root_mount == 0 || record.root_mount != root_mount_)
    return {unknown, fmt::format("its namespace {} was seen from another mount namespace", record.netns)};
  std::optional<NamespaceId> now;
  try {
    now = identify_namespace(record.netns);
  } catch (const Failure& failure) {
    return {unknown, failure.what()};
  }
  if (now == record.netns_id) return {alive, fmt::format("its namespace {} exists", record.netns)};
  if (!routes_) routes_ = HostRoutes::read();
  const std::string interface = routes_->interface_to(address);
  if (!interface.empty() && is_inhabited(record.netns_id.inode))
    return {unknown,
            fmt::format("its namespace {} has lost its name, but processes are in it and {} leads to it",
                        record.netns, interface)};
  return {stale,
          fmt::format("its namespace {} is gone{}", record.netns, now ? ", another one is at its path" : "")};
}

Verdict Evidence::judge(const Reservation& reservation) const {
  using enum Verdict::State;
  if (!reservation.obstacle.empty()) return {unknown, reservation.obstacle + " is in the way"};
  if (!reservation.boot.empty() && reservation.boot != boot_)
    return {stale, "it was made in an earlier boot"};
  if (reservation.owner.container_id.empty()) return {stale, "the file is empty: its maker died"};
  const auto record = record_of(reservation);
  if (!record) return {unknown, "there is no record of it in this boot"};
  if (record->boot != boot_) return {stale, "it was made in an earlier boot"};
  return judge_namespace(*record, reservation.address);
}

Verdict Evidence::judge_without_interface(const Reservation& reservation, const std::string& netns) const {
  using enum Verdict::State;
  const auto record = record_of(reservation);
  const auto now = identify_namespace(netns);
  if (!record || !now || record->netns_id.device != now->device || record->netns_id.inode != now->inode)
    return {alive, "its interface may be in another namespace"};
  if (record->maker != ::getpid() && ::access(fmt::format("/proc/{}", record->maker).c_str(), F_OK) == 0)
    return {alive, fmt::format("process {} may still be attaching it", record->maker)};
  return {stale, "its namespace has no interface of its name"};
}

}  // namespace onlink::ipam
