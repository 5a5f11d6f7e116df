// SPDX-License-Identifier: Apache-2.0
// A file of checked pages: read page by page as needed, changed in memory, written back on demand.
//
// Each page ends in a checksum of its content and number, so that whatever is torn, cut off or overwritten by
// others is noticed where it is read. Read and written by system calls, not mapped: a file that shrinks or a
// full disk is an error here, where a mapping would end the process with SIGBUS.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace onlink::ipam {

// Its content is not what was written.
class DamagedFile : public Failure {
 public:
  using Failure::Failure;
};

class PagedFile {
 public:
  // Small: a call reads and writes about five of them, and touches, copies and sums up no more than those.
  static constexpr std::size_t page_size = 1024;
  static constexpr std::size_t payload_size = page_size - 16;  // divisible by the sizes of what is stored

  // A file that is not written yet: all pages zero, in memory.
  static PagedFile fresh(std::size_t pages);
  // An existing one. Nothing where there is none, or none that can be used (no regular file, a broken size).
  static std::optional<PagedFile> open(int directory, const char* name);

  std::size_t page_count() const { return page_count_; }
  // Throws DamagedFile where the page is damaged or cannot be read.
  const std::byte* read(std::size_t page) { return load(page).page.payload.data(); }
  std::byte* edit(std::size_t page);

  // Writes every changed page but the first. A fresh file is made under the other name first and renamed.
  void write_changes(int directory, const char* name, const char* draft_name);
  // Writes the first page.
  void write_first();

 private:
  struct alignas(16) Page {
    std::array<std::byte, payload_size> payload{};
    std::uint64_t checksum = 0;
    std::uint64_t number = 0;
  };
  static_assert(sizeof(Page) == page_size);
  struct Loaded {
    Page page;
    bool changed = false;
  };
  static std::uint64_t checksum_of(const Page& page, std::size_t number);

  Loaded& load(std::size_t page);
  void fetch(std::size_t number, Page& page) const;
  void write(std::size_t number, Loaded& loaded);

  UniqueFd fd_;  // none while fresh
  std::size_t page_count_ = 0;
  std::unordered_map<std::size_t, Loaded> pages_;  // by number; references to them stay valid
};

// A part of a file as an array of small values, none of which crosses a page.
template <class Value>
class PagedArray {
 public:
  static constexpr std::size_t per_page = PagedFile::payload_size / sizeof(Value);
  static std::size_t pages_for(std::size_t count) { return (count + per_page - 1) / per_page; }

  PagedArray(PagedFile& file, std::size_t first_page) : file_(&file), first_page_(first_page) {}

  const Value& operator[](std::size_t index) const {
    return reinterpret_cast<const Value*>(file_->read(first_page_ + index / per_page))[index % per_page];
  }
  Value& edit(std::size_t index) {
    return reinterpret_cast<Value*>(file_->edit(first_page_ + index / per_page))[index % per_page];
  }

 private:
  PagedFile* file_;
  std::size_t first_page_;
};

}  // namespace onlink::ipam
