// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/failure.h"
#include "base/uninterrupted.h"

namespace onlink {

UniqueFd try_open(int directory, const char* path, int flags, mode_t mode) noexcept {
  return UniqueFd(uninterrupted([&] { return ::openat(directory, path, flags | O_CLOEXEC, mode); }));
}

UniqueFd open_file(int directory, const std::string& path, int flags, mode_t mode) {
  UniqueFd fd = try_open(directory, path.c_str(), flags, mode);
  if (!fd) throw system_failure("open " + path);
  return fd;
}

std::optional<UniqueFd> open_if_exists(int directory, const std::string& path, int flags) {
  UniqueFd fd = try_open(directory, path.c_str(), flags);
  if (fd) return fd;
  if (errno == ENOENT) return std::nullopt;
  throw system_failure("open " + path);
}

std::string read_all(int fd, std::string_view name, std::size_t limit) {
  std::string content;
  char buffer[4096];
  for (;;) {
    const ssize_t count = uninterrupted([&] { return ::read(fd, buffer, sizeof buffer); });
    if (count == 0) return content;
    if (count < 0) throw system_failure("read " + std::string(name));
    content.append(buffer, static_cast<std::size_t>(count));
    if (content.size() > limit)
      throw Failure("read " + std::string(name) + ": larger than " + std::to_string(limit) + " bytes", EFBIG);
  }
}

std::optional<std::string> read_file(int directory, const std::string& path, std::size_t limit) {
  const auto fd = open_if_exists(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return std::nullopt;
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) throw system_failure("stat " + path);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    throw Failure("read " + path + ": it is not a regular file", EINVAL);
  return read_all(fd->get(), path, limit);
}

std::string read_existing_file(const std::string& path, std::size_t limit) {
  auto text = read_file(AT_FDCWD, path, limit);
  if (!text) throw system_failure("open " + path, ENOENT);
  return std::move(*text);
}

void write_all(int fd, std::string_view content, std::string_view name) {
  if (!try_write(fd, content)) throw system_failure("write " + std::string(name));
}

bool try_write(int fd, std::string_view content) noexcept {
  while (!content.empty()) {
    const ssize_t count = uninterrupted([&] { return ::write(fd, content.data(), content.size()); });
    if (count < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::size_t read_at(int fd, std::span<std::byte> content, off_t offset, std::string_view name) {
  std::size_t done = 0;
  while (done < content.size()) {
    const auto left = content.subspan(done);
    const ssize_t count = uninterrupted(
        [&] { return ::pread(fd, left.data(), left.size(), offset + static_cast<off_t>(done)); });
    if (count < 0) throw system_failure("read " + std::string(name));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void write_at(int fd, std::span<const std::byte> content, off_t offset, std::string_view name) {
  while (!content.empty()) {
    const ssize_t count = uninterrupted([&] { return ::pwrite(fd, content.data(), content.size(), offset); });
    if (count < 0) throw system_failure("write " + std::string(name));
    content = content.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

void overwrite_file(int directory, const std::string& path, std::initializer_list<FilePart> parts,
                    mode_t mode) {
  const UniqueFd fd = open_file(directory, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw system_failure("stat " + path);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
    throw Failure(path + " is not a file of its own (a link?)");
  off_t size = 0;
  for (const FilePart& part : parts) {
    write_at(fd.get(), part.content, static_cast<off_t>(part.at), path);
    size = static_cast<off_t>(part.at + part.content.size());
  }
  if (status.st_size > size && uninterrupted([&] { return ::ftruncate(fd.get(), size); }) != 0)
    throw system_failure("truncate " + path);
}

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

void sync(int fd, std::string_view name) {
  if (uninterrupted([&] { return ::fsync(fd); }) != 0) throw system_failure("fsync " + std::string(name));
}

void replace_file(int directory, const std::string& path, std::string_view content, mode_t mode,
                  bool durable) {
  // Unique to the process: of two writers, neither writes into the other's temporary file.
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  (void)::unlinkat(directory, temporary.c_str(), 0);  // left by an earlier process with this id
  try {
    {
      const UniqueFd fd = open_file(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
      write_all(fd.get(), content, temporary);
      if (durable) sync(fd.get(), temporary);
    }  // closed: a program that is open for writing cannot be executed under its new name (ETXTBSY)
    if (::renameat(directory, temporary.c_str(), directory, path.c_str()) != 0)
      throw system_failure("rename " + temporary + " to " + path);
  } catch (...) {
    (void)::unlinkat(directory, temporary.c_str(), 0);
    throw;
  }
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw system_failure("remove " + path);
}

std::string folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void make_directories(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return;
  const auto slash = path.find_last_of('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0)
    throw system_failure("create directory " + path);
  make_directories(path.substr(0, slash), mode);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) throw system_failure("create directory " + path);
}

}  // namespace onlink
