// SPDX-License-Identifier: Apache-2.0
#include "ipam/folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/lock.h"
#include "base/text.h"

namespace onlink::ipam {
namespace {

constexpr std::chrono::seconds lock_timeout{10};
constexpr std::size_t longest_reservation = 4096;
// As host-local makes them.
constexpr mode_t file_mode = 0600;
constexpr mode_t lock_mode = 0750;
// tmpfs has "user." attributes only since Linux 6.6, and "trusted." ones, for root, since long before.
constexpr std::array boot_attributes{"user.onlink.boot", "trusted.onlink.boot"};
constexpr std::array pod_attributes{"user.onlink.pod", "trusted.onlink.pod"};

FileId id_of(const struct stat& status) { return {status.st_ino, nanoseconds(status.st_mtim)}; }

using Names = std::array<const char*, 2>;

// A value that is not known leaves no attribute, which would stand in the way of a later one.
void set_attribute(int fd, const Names& names, const std::string& value) noexcept {
  if (value.empty()) return;
  for (const char* name : names)
    if (::fsetxattr(fd, name, value.data(), value.size(), XATTR_CREATE) == 0 || errno == EEXIST) return;
}

std::string get_attribute(int fd, const Names& names) {
  std::array<char, 512> value{};
  for (const char* name : names)
    if (const ssize_t size = ::fgetxattr(fd, name, value.data(), value.size()); size > 0)
      return {value.data(), static_cast<std::size_t>(size)};
  return {};
}

// The whole content without surrounding blanks, whatever it is: what names no attachment is nobody's.
cni::Attachment parse_owner(std::string_view content) {
  content = trimmed(content);
  const auto line_break = content.find("\r\n");
  if (line_break == std::string_view::npos) return {std::string(content), ""};
  return {std::string(content.substr(0, line_break)), std::string(content.substr(line_break + 2))};
}

std::string last_name(std::size_t range_set) { return "last_reserved_ip." + std::to_string(range_set); }

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  return S_ISREG(mode) ? "a file too large for a reservation" : "a special file";
}

std::optional<UniqueFd> open_directory(const std::string& path) {
  try {
    return open_if_exists(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (const Failure& failure) {
    struct stat status {};
    if (failure.error() == ENOTDIR && ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
      throw Failure(fmt::format("open {}: it is a symbolic link, which is not followed", path), ENOTDIR);
    throw;
  }
}

// False where the folder or its lock file has been replaced since they were opened: others lock another file
// then.
bool is_current(const std::string& path, int directory, int lock) {
  struct stat by_path {};
  struct stat opened {};
  struct stat locked {};
  return ::fstat(lock, &locked) == 0 && locked.st_nlink > 0 && ::fstat(directory, &opened) == 0 &&
         ::lstat(path.c_str(), &by_path) == 0 && by_path.st_ino == opened.st_ino &&
         by_path.st_dev == opened.st_dev;
}

}  // namespace

FileId id_of(const UniqueFd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_failure("stat a reservation");
  return id_of(status);
}

std::string modified_in_utc(const FileId& file) { return in_utc(file.modified / 1'000'000'000); }

std::optional<Folder> Folder::open(const std::string& data_dir, const std::string& network,
                                   IfMissing missing) {
  const std::string path = data_dir + "/" + network;
  constexpr int attempts = 100;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto directory = open_directory(path);
    if (!directory && missing == IfMissing::nothing) return std::nullopt;
    if (!directory) {
      make_directories(path);
      continue;
    }
    UniqueFd lock = with_context(path, [&] {
      return open_file(directory->get(), "lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, lock_mode);
    });
    lock_exclusively(lock.get(), path + "/lock", lock_timeout);
    if (is_current(path, directory->get(), lock.get()))
      return Folder(path, std::move(*directory), std::move(lock));
  }
  throw Failure(FailureKind::try_again, fmt::format("lock {}: the folder keeps being replaced", path));
}

std::optional<Folder> Folder::peek(const std::string& data_dir, const std::string& network) {
  const std::string path = data_dir + "/" + network;
  auto directory = open_directory(path);
  if (!directory) return std::nullopt;
  return Folder(path, std::move(*directory), UniqueFd());
}

bool Folder::has_lock_file() const { return ::faccessat(fd(), "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

struct stat Folder::status() const {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) throw system_failure("stat " + path_);
  return status;
}

std::optional<Reservation> Folder::read(const IpAddress& address) const {
  const std::string name = address.to_string();
  Reservation reservation;
  reservation.address = address;
  struct stat status {};
  try {
    const auto fd = open_if_exists(this->fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) return std::nullopt;
    if (::fstat(fd->get(), &status) != 0) throw system_failure("stat " + name);
    if (!S_ISREG(status.st_mode) || status.st_size > static_cast<off_t>(longest_reservation)) {
      reservation.obstacle = kind_of(status.st_mode);
      return reservation;
    }
    reservation.file = id_of(status);
    reservation.owner = parse_owner(read_all(fd->get(), name));
    reservation.boot = get_attribute(fd->get(), boot_attributes);
    reservation.pod = get_attribute(fd->get(), pod_attributes);
  } catch (const Failure& failure) {
    // Only its type makes it an obstacle. A reservation that could not be read just now (no descriptor left,
    // a disk error) may be anyone's: to take it for a stranger's would leak it.
    const bool known = ::fstatat(fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    reservation.is_unreadable = !known || S_ISREG(status.st_mode);
    reservation.obstacle = reservation.is_unreadable
                               ? fmt::format("a file that cannot be read ({}/{})", path_, failure.what())
                               : kind_of(status.st_mode);
  }
  return reservation;
}

std::vector<Reservation> Folder::reservations(const std::vector<std::string>& names) const {
  std::vector<Reservation> all;
  for (const std::string& name : names) {
    const auto address = address_of(name);
    if (auto reservation = address ? read(*address) : std::nullopt) all.push_back(std::move(*reservation));
  }
  std::sort(all.begin(), all.end(),
            [](const Reservation& a, const Reservation& b) { return a.address < b.address; });
  return all;
}

bool Folder::exists(const IpAddress& address) const {
  return ::faccessat(directory_.get(), address.to_string().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
         errno != ENOENT;
}

std::optional<IpAddress> Folder::address_of(const std::string& name) {
  const auto address = IpAddress::parse(name);
  return address && address->to_string() == name ? address : std::nullopt;
}

std::optional<UniqueFd> Folder::create(const IpAddress& address) const {
  return with_context(path_, [&]() -> std::optional<UniqueFd> {
    try {
      return open_file(directory_.get(), address.to_string(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                       file_mode);
    } catch (const Failure& failure) {
      if (failure.already_exists()) return std::nullopt;
      throw;
    }
  });
}

FileId Folder::fill(const UniqueFd& file, const cni::Attachment& owner, const std::string& boot,
                    const std::string& pod) const {
  return with_context(path_, [&] {
    set_attribute(file.get(), pod_attributes, pod);
    set_attribute(file.get(), boot_attributes, boot);
    write_all(file.get(), owner.container_id + "\r\n" + owner.ifname, "a reservation");
    return id_of(file);
  });
}

bool Folder::remove(const IpAddress& address) const {
  if (::unlinkat(directory_.get(), address.to_string().c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  throw system_failure("release " + path_ + "/" + address.to_string());
}

void Folder::mark_boot(const IpAddress& address, const std::string& boot) const noexcept {
  const UniqueFd fd =
      try_open(directory_.get(), address.to_string().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  // A file with another name elsewhere may be anybody's.
  if (fd && ::fstat(fd.get(), &status) == 0 && status.st_nlink == 1)
    set_attribute(fd.get(), boot_attributes, boot);
}

// Only a hint where to continue: an unreadable one means to start from the beginning, as in host-local.
std::optional<IpAddress> Folder::last_reserved(std::size_t range_set) const {
  const UniqueFd fd = try_open(this->fd(), last_name(range_set).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  std::array<char, 64> text{};
  const ssize_t size = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  return size > 0 ? IpAddress::parse({text.data(), static_cast<std::size_t>(size)}) : std::nullopt;
}

void Folder::set_last_reserved(std::size_t range_set, const IpAddress& address) const {
  const std::string text = address.to_string();
  with_context(path_, [&] {
    overwrite_file(fd(), last_name(range_set), {{0, std::as_bytes(std::span(text))}}, file_mode);
  });
}

}  // namespace onlink::ipam
