// SPDX-License-Identifier: Apache-2.0
#include "ipam/folder.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/uninterrupted.h"
#include "ipam/lock.h"

namespace onlink::ipam {
namespace {

constexpr std::chrono::seconds lock_timeout{10};
constexpr std::size_t longest_reservation = 4096;
// As host-local makes them.
constexpr mode_t file_mode = 0600;
constexpr mode_t lock_mode = 0750;
// tmpfs has "user." attributes since Linux 6.6 only, and "trusted." ones for root since long before.
constexpr std::array boot_attributes{"user.onlink.boot", "trusted.onlink.boot"};

FileId id_of(const struct stat& status) { return {status.st_ino, nanoseconds(status.st_mtim)}; }

void set_boot(int fd, const std::string& boot) noexcept {
  for (const char* name : boot_attributes)
    if (::fsetxattr(fd, name, boot.data(), boot.size(), XATTR_CREATE) == 0 || errno == EEXIST) return;
}

std::string get_boot(int fd) {
  std::array<char, 64> value{};
  for (const char* name : boot_attributes)
    if (const ssize_t size = ::fgetxattr(fd, name, value.data(), value.size()); size > 0)
      return {value.data(), static_cast<std::size_t>(size)};
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

cni::Attachment parse_owner(std::string_view content) {
  content = trimmed(content);
  const auto line_break = content.find("\r\n");
  if (line_break == std::string_view::npos) return {std::string(content), ""};
  return {std::string(content.substr(0, line_break)), std::string(content.substr(line_break + 2))};
}

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  return "no regular file";
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

// False where the folder or its lock file has been replaced since they were opened: what was locked then is
// not what others lock.
bool is_current(const std::string& path, int directory, int lock) {
  struct stat by_path {};
  struct stat opened {};
  struct stat locked {};
  return ::fstat(lock, &locked) == 0 && locked.st_nlink > 0 && ::fstat(directory, &opened) == 0 &&
         ::lstat(path.c_str(), &by_path) == 0 && by_path.st_ino == opened.st_ino &&
         by_path.st_dev == opened.st_dev;
}

}  // namespace

std::vector<std::string> names_in(int directory, const std::string& path) {
  // A descriptor of its own: the position in a directory belongs to the open file.
  UniqueFd again = open_file(directory, ".", O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, decltype([](DIR* dir) { ::closedir(dir); })> stream(
      ::fdopendir(again.release()));
  if (!stream) throw system_failure("read directory " + path);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) throw system_failure("read directory " + path);
    if (entry == nullptr) return names;
    names.emplace_back(entry->d_name);
  }
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

std::int64_t Folder::changed() const {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) throw system_failure("stat " + path_);
  return nanoseconds(status.st_ctim);
}

std::optional<Reservation> Folder::read(const IpAddress& address) const {
  const std::string name = address.to_string();
  Reservation reservation;
  reservation.address = address;
  struct stat status {};
  std::optional<UniqueFd> fd;
  try {
    fd = open_if_exists(directory_.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (Failure& failure) {
    // Only what it is can make it an obstacle. That a reservation could not be read just now (no descriptor
    // left, an error of the disk) says nothing of whose it is: who took it for a stranger's would leak it.
    const bool known = ::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!known || S_ISREG(status.st_mode)) throw std::move(failure.prepend(path_));
    reservation.obstacle = kind_of(status.st_mode);
    return reservation;
  }
  if (!fd) return std::nullopt;
  if (::fstat(fd->get(), &status) != 0) throw system_failure("stat " + path_ + "/" + name);
  if (!S_ISREG(status.st_mode) || status.st_size > static_cast<off_t>(longest_reservation)) {
    reservation.obstacle =
        S_ISREG(status.st_mode) ? "a file too large for a reservation" : kind_of(status.st_mode);
    return reservation;
  }
  reservation.file = id_of(status);
  reservation.owner = parse_owner(read_all(fd->get(), path_ + "/" + name));
  reservation.boot = get_boot(fd->get());
  return reservation;
}

std::optional<Reservation> Folder::look_at(const IpAddress& address) const {
  try {
    return read(address);
  } catch (const Failure& failure) {
    Reservation reservation;
    reservation.address = address;
    reservation.obstacle = fmt::format("a file that cannot be read ({})", failure.what());
    reservation.is_unreadable = true;
    return reservation;
  }
}

bool Folder::exists(const IpAddress& address) const {
  return ::faccessat(directory_.get(), address.to_string().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
         errno != ENOENT;
}

std::optional<IpAddress> Folder::address_of(const std::string& name) {
  const auto address = IpAddress::parse(name);
  return address && address->to_string() == name ? address : std::nullopt;
}

std::optional<FileId> Folder::create(const IpAddress& address, const cni::Attachment& owner,
                                     const std::string& boot) const {
  const std::string name = address.to_string();
  return with_context(path_, [&]() -> std::optional<FileId> {
    UniqueFd fd;
    try {
      fd = open_file(directory_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, file_mode);
    } catch (const Failure& failure) {
      if (failure.already_exists()) return std::nullopt;
      throw;
    }
    try {
      write_all(fd.get(), owner.container_id + "\r\n" + owner.ifname, "reservation " + name);
      set_boot(fd.get(), boot);
      struct stat status {};
      if (::fstat(fd.get(), &status) != 0) throw system_failure("stat reservation " + name);
      return id_of(status);
    } catch (...) {
      (void)::unlinkat(directory_.get(), name.c_str(), 0);
      throw;
    }
  });
}

bool Folder::remove(const IpAddress& address) const {
  if (::unlinkat(directory_.get(), address.to_string().c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  throw system_failure("release " + path_ + "/" + address.to_string());
}

void Folder::clear_former_index() const noexcept {
  for (const char* name : {".onlink-index", ".onlink-index-draft", ".onlink-draft"})
    (void)::unlinkat(directory_.get(), name, 0);
}

void Folder::mark_boot(const IpAddress& address, const std::string& boot) const noexcept {
  const UniqueFd fd =
      try_open(directory_.get(), address.to_string().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  // With another name elsewhere it may be anybody's file.
  if (fd && ::fstat(fd.get(), &status) == 0 && status.st_nlink == 1) set_boot(fd.get(), boot);
}

std::optional<IpAddress> Folder::last_reserved(std::size_t range_set) const {
  const std::string name = "last_reserved_ip." + std::to_string(range_set);
  const UniqueFd fd = try_open(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return std::nullopt;
  std::array<char, 64> text{};
  try {
    const std::size_t size = read_at(fd.get(), std::as_writable_bytes(std::span(text)), 0, name);
    return IpAddress::parse({text.data(), size});
  } catch (const Failure&) {
    // Only a hint where to go on: what cannot be read means to start from the beginning, as in host-local.
    return std::nullopt;
  }
}

void Folder::set_last_reserved(std::size_t range_set, const IpAddress& address) const {
  // Written in place: truncating and writing a small file makes ext4 start writing to the disk on each close.
  const std::string name = "last_reserved_ip." + std::to_string(range_set);
  const std::string text = address.to_string();
  const UniqueFd fd =
      open_file(directory_.get(), name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, file_mode);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw system_failure("stat " + path_ + "/" + name);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
    throw Failure(fmt::format("{}/{} is not a file of its own (a link?)", path_, name));
  write_at(fd.get(), std::as_bytes(std::span(text)), 0, path_ + "/" + name);
  const auto size = static_cast<off_t>(text.size());
  if (status.st_size > size && uninterrupted([&] { return ::ftruncate(fd.get(), size); }) != 0)
    throw system_failure("truncate " + path_ + "/" + name);
}

}  // namespace onlink::ipam
