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

// Everything that is left to read. Throws Failure when there is more than limit bytes ("larger than ...").
std::string read_all(int fd, std::string_view name, std::size_t limit = small_file_limit);
// The content of a file, or nothing where it does not exist.
std::optional<std::string> read_file(int directory, const std::string& path);
// Writes everything, whatever the number of write(2) calls that it takes. Throws Failure.
void write_all(int fd, std::string_view content, std::string_view name);
// The same; false, with errno, where it fails.
bool try_write(int fd, std::string_view content) noexcept;

// From a place in the file, whatever the number of pread(2) calls: how many bytes, fewer than asked for only
// where the file ends. Throws Failure.
std::size_t read_at(int fd, std::span<std::byte> content, off_t offset, std::string_view name);
void write_at(int fd, std::span<const std::byte> content, off_t offset, std::string_view name);

// Writes parts of a file in place, made where it is not there: it keeps its blocks, and ext4 does not begin to write
// to the disk, as it does when a file is truncated first. It ends with the last part. For what may be broken by a
// power cut. Throws Failure, also where it is not a file of its own: a link may be one to anything.
struct FilePart {
  std::size_t at;
  std::span<const std::byte> content;
};
void overwrite_file(int directory, const std::string& path, std::initializer_list<FilePart> parts,
                    mode_t mode);

// The names of everything in a directory, in no order, "." and ".." too. path: for the words. Throws Failure.
std::vector<std::string> names_in(int directory, const std::string& path);

// fsync(2). Throws Failure.
void sync(int fd, std::string_view name);

// Replaces the file: whoever reads it sees the old content or the new, whole, also after a power cut
// (a temporary file beside it, fsync, rename). With durable = false the fsync is left out: for /run.
void replace_file(int directory, const std::string& path, std::string_view content, mode_t mode = 0644,
                  bool durable = true);

// What is not there is removed already. Throws Failure.
void remove_file(const std::string& path);

// The folder of a path: "." where it names none.
std::string folder_of(const std::string& path);

// mkdir -p with the given mode for what is missing.
void make_directories(const std::string& path, mode_t mode = 0755);

}  // namespace onlink
