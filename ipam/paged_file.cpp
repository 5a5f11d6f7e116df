// SPDX-License-Identifier: Apache-2.0
#include "ipam/paged_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file.h"

namespace onlink::ipam {
namespace {

// More than any index needs; keeps a broken size from being believed.
constexpr off_t largest_file = off_t{4} << 30;

}  // namespace

std::uint64_t PagedFile::checksum_of(const Page& page, std::size_t number) {
  // Four sums side by side, so that the multiplications overlap. Against accidents, not against forgers:
  // whoever can write here can write reservations as well.
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15;
  constexpr std::size_t lanes = 4;
  std::array<std::uint64_t, lanes> sums{number + 1, 2, 3, 4};
  constexpr std::size_t words = payload_size / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, page.payload.data() + i * sizeof word, sizeof word);
    std::uint64_t& sum = sums[i % lanes];
    sum = (sum ^ word) * factor;
    sum ^= sum >> 29;
  }
  std::uint64_t result = 0;
  for (const std::uint64_t sum : sums) result = (result ^ sum) * factor;
  return result ^ result >> 32;
}

PagedFile PagedFile::fresh(std::size_t pages) {
  PagedFile file;
  file.page_count_ = pages;
  for (std::size_t i = 0; i < pages; ++i) file.pages_[i].changed = true;
  return file;
}

std::optional<PagedFile> PagedFile::open(int directory, const char* name) {
  PagedFile file;
  file.fd_ = try_open(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file.fd_ || ::fstat(file.fd_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if (status.st_nlink != 1) return std::nullopt;  // it may be anybody's under its other name
  if (status.st_size == 0 || status.st_size > largest_file || status.st_size % off_t{page_size} != 0)
    return std::nullopt;
  file.page_count_ = static_cast<std::size_t>(status.st_size) / page_size;
  return file;
}

PagedFile::Loaded& PagedFile::load(std::size_t number) {
  if (number >= page_count_) throw DamagedFile("index: refers to a page that it does not have");
  const auto [place, is_new] = pages_.try_emplace(number);
  if (!is_new) return place->second;
  try {
    fetch(number, place->second.page);
  } catch (...) {
    pages_.erase(place);
    throw;
  }
  return place->second;
}

void PagedFile::fetch(std::size_t number, Page& page) const {
  const auto offset = static_cast<off_t>(number * page_size);
  std::size_t size = 0;
  try {
    size = read_at(fd_.get(), std::as_writable_bytes(std::span(&page, 1)), offset, "a page");
  } catch (const Failure& failure) {
    throw DamagedFile(fmt::format("index: page {}: {}", number, failure.what()), failure.error());
  }
  if (size != page_size) throw DamagedFile(fmt::format("index: page {} is cut off", number));
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (page.number != number || page.checksum != checksum_of(page, number))
    throw DamagedFile("index: page " + std::to_string(number) + " is damaged");
#endif
}

std::byte* PagedFile::edit(std::size_t number) {
  Loaded& loaded = load(number);
  loaded.changed = true;
  return loaded.page.payload.data();
}

void PagedFile::write(std::size_t number, Loaded& loaded) {
  Page& page = loaded.page;
  page.number = number;
  page.checksum = checksum_of(page, number);
  const auto offset = static_cast<off_t>(number * page_size);
  write_at(fd_.get(), std::as_bytes(std::span(&page, 1)), offset, "a page of the index");
  loaded.changed = false;
}

void PagedFile::write_changes(int directory, const char* name, const char* draft_name) {
  const bool is_fresh = !fd_;
  if (is_fresh) {
    (void)::unlinkat(directory, draft_name, 0);
    fd_ = open_file(directory, draft_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  }
  for (auto& [number, loaded] : pages_)
    if (number != 0 && loaded.changed) write(number, loaded);
  if (is_fresh && ::renameat(directory, draft_name, directory, name) != 0)
    throw system_failure("index: rename to " + std::string(name));
}

void PagedFile::write_first() { write(0, load(0)); }

}  // namespace onlink::ipam
