// SPDX-License-Identifier: Apache-2.0
// Which addresses are held, by whom, and which are resting after their release: data in a PagedFile, so that
// each question reads a few pages however many leases there are.
//
//   page 0    header
//   blocks    a hash table of 256 neighbouring addresses each, two bits for every one: held, resting. Finding
//   the next
//             free address looks at 256 at a time, and a sparse IPv6 subnet costs what its leases cost.
//   owners    heads of lists of entries, by the hash of the owner
//   entries   one for each held or resting address, in a list: that of its owner, of the resting (oldest
//   first), or of
//             the unused
//
// Owners are known by 64-bit hashes: two may share one, so an answer is a candidate that the caller verifies.
// Links that lead nowhere or in circles throw DamagedFile, as damaged pages do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "ipam/paged_file.h"

namespace onlink::ipam {

class LeaseTable {
 public:
  struct Lease {
    IpAddress address;
    std::uint64_t owner;
  };
  struct Rest {
    IpAddress address;
    std::int64_t since;  // nanoseconds of the caller's clock
  };
  struct Contents {
    std::vector<Lease> held;
    std::vector<Rest> resting;  // oldest first
  };
  static constexpr std::size_t remark_size = 256;

  // A new table in memory, with room to grow. An address that comes twice counts once: the first time, held
  // first.
  static LeaseTable build(const Contents& contents);
  // The table in a file. Throws DamagedFile where its header or size is not that of a table.
  static LeaseTable attach(PagedFile file);

  // The lowest address from first to last that is neither held nor resting.
  std::optional<IpAddress> next_free(const IpAddress& first, const IpAddress& last) const;
  bool is_held(const IpAddress& address) const;
  std::vector<IpAddress> held_by(std::uint64_t owner) const;
  // The one that rests longest among those that suit.
  std::optional<IpAddress> oldest_resting(const std::function<bool(const IpAddress&)>& suits) const;
  Contents contents() const;

  void add(const IpAddress& address, std::uint64_t owner);
  // Nothing happens where this owner does not hold it.
  void remove(const IpAddress& address, std::uint64_t owner);
  // What is free begins to rest.
  void rest(const IpAddress& address, std::int64_t since);
  // Ends the rest of what has rested since `limit` or before; of a bounded number at a time.
  void wake(std::int64_t limit);

  PagedFile& file() { return *file_; }
  // A part of the first page that is the caller's own; kept when the table grows.
  const std::byte* remark() const;
  std::byte* edit_remark();

 private:
  struct Header;
  struct Block;
  struct Entry;
  struct Layout;

  explicit LeaseTable(PagedFile file) : file_(std::make_unique<PagedFile>(std::move(file))) {}
  static LeaseTable make(std::size_t entries, std::size_t blocks);

  const Header& header() const;
  Header& edit_header();
  PagedArray<Block> blocks() const;
  PagedArray<std::uint32_t> owners() const;
  PagedArray<Entry> entries() const;

  std::size_t find_block(const IpAddress& address, bool& found) const;
  void set_bit(const IpAddress& address, bool resting, bool value);
  bool bit(const IpAddress& address, bool resting) const;
  bool is_full() const;
  void grow();
  std::uint32_t new_entry();
  void unlink_resting(std::uint32_t previous, std::uint32_t entry);
  void stop_resting(const IpAddress& address);

  std::unique_ptr<PagedFile> file_;  // in one place, whoever moves the table: arrays refer to it
};

}  // namespace onlink::ipam
