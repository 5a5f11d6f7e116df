// SPDX-License-Identifier: Apache-2.0
// Small files, read whole and written whole. Paths are relative to a directory descriptor, or AT_FDCWD.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace onlink {

inline constexpr std::size_t small_file_limit = 1 << 20;

// open(2) with O_CLOEXEC, retried on EINTR. Invalid, with errno, where it fails.
UniqueFd try_open(int directory, const char* path, int flags, mode_t mode = 0) noexcept;
// The same. Throws Failure naming the path.
UniqueFd open_file(int directory, const std::string& path, int flags, mode_t mode = 0);
// The same, but nothing where the file does not exist (ENOENT).
std::optional<UniqueFd> open_if_exists(int directory, const std::string& path, int flags);

// Reads to the end. Throws Failure, also for more than limit bytes ("larger than ...").
std::string read_all(int fd, std::string_view name, std::size_t limit = small_file_limit);
// The content of a regular file, or nothing where the path does not exist. Throws Failure, also for any other kind of
// file: reading a FIFO may never end.
std::optional<std::string> read_file(int directory, const std::string& path,
                                     std::size_t limit = small_file_limit);
// The same, but a missing file is a Failure too.
std::string read_existing_file(const std::string& path, std::size_t limit = small_file_limit);
// Writes everything, with as many write(2) calls as it takes. Throws Failure.
void write_all(int fd, std::string_view content, std::string_view name);
// The same; false, with errno, where it fails.
bool try_write(int fd, std::string_view content) noexcept;

// Reads at an offset, with as many pread(2) calls as it takes. Returns the number of bytes, fewer than asked for
// only at the end of the file. Throws Failure.
std::size_t read_at(int fd, std::span<std::byte> content, off_t offset, std::string_view name);
void write_at(int fd, std::span<const std::byte> content, off_t offset, std::string_view name);

// Writes parts of a file in place; creates a missing file. The file keeps its blocks, and ext4 does not start
// writing to the disk, as it does when a file is truncated first. The file ends after the last part. For content
// that a power cut may break. Throws Failure, also where the path is not a regular file with a single link: a link
// may lead anywhere.
struct FilePart {
  std::size_t at;
  std::span<const std::byte> content;
};
void overwrite_file(int directory, const std::string& path, std::initializer_list<FilePart> parts,
                    mode_t mode);

// All names in a directory, unordered, "." and ".." included. path: for messages only. Throws Failure.
std::vector<std::string> names_in(int directory, const std::string& path);

// fsync(2). Throws Failure.
void sync(int fd, std::string_view name);

// Replaces the file: a reader sees the whole old or the whole new content, also after a power cut (temporary file
// beside it, fsync, rename). durable = false skips the fsync: for /run.
void replace_file(int directory, const std::string& path, std::string_view content, mode_t mode = 0644,
                  bool durable = true);

// A missing file is no failure. Throws Failure.
void remove_file(const std::string& path);

// The folder of a path: "." where it names none.
std::string folder_of(const std::string& path);

// mkdir -p with the given mode for what is missing.
void make_directories(const std::string& path, mode_t mode = 0755);

}  // namespace onlink
