// SPDX-License-Identifier: Apache-2.0
#include "ipam/lease_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

namespace onlink::ipam {
namespace {

constexpr std::uint64_t magic = 0x31306b6e696c6e6f;  // "onlink01"
constexpr std::uint32_t none = 0xffffffff;
constexpr std::size_t smallest = 256;  // entries
constexpr std::size_t addresses_per_block = 256;
constexpr std::size_t most_woken = 4096;

// Both families in one space: IPv4 as ::ffff:a.b.c.d, which no IPv6 address of ours is.
constexpr IpNumber v4_base = IpNumber{0xffff} << 32;

IpNumber key_of(const IpAddress& address) {
  return address.is_v4() ? v4_base | address.number() : address.number();
}

IpAddress address_of(IpNumber key) {
  const bool is_v4 = key >> 32 == 0xffff;
  return IpAddress::from_number(is_v4 ? IpFamily::v4 : IpFamily::v6, is_v4 ? key & 0xffffffff : key);
}

[[noreturn]] void throw_damaged() { throw DamagedFile("index: its links are damaged"); }

}  // namespace

struct LeaseTable::Header {
  std::uint64_t magic;
  std::uint32_t block_capacity;  // powers of 2
  std::uint32_t owner_capacity;
  std::uint32_t entry_capacity;
  std::uint32_t block_count;
  std::uint32_t entry_count;  // that were ever in use
  std::uint32_t unused;       // heads of lists
  std::uint32_t resting_first;
  std::uint32_t resting_last;
  std::array<std::byte, remark_size> remark;
};

struct LeaseTable::Block {
  IpNumber name;  // key / 256 + 1; 0 for a block that is not in use
  std::array<std::uint64_t, 4> held;
  std::array<std::uint64_t, 4> resting;
};

struct LeaseTable::Entry {
  IpNumber key;
  std::uint64_t owner_or_since;
  std::uint32_t next;
  std::uint32_t is_held;
};

struct LeaseTable::Layout {
  std::size_t owners;
  std::size_t entries;
  std::size_t end;

  explicit Layout(const Header& header)
      : owners(1 + PagedArray<Block>::pages_for(header.block_capacity)),
        entries(owners + PagedArray<std::uint32_t>::pages_for(header.owner_capacity)),
        end(entries + PagedArray<Entry>::pages_for(header.entry_capacity)) {}
};

const LeaseTable::Header& LeaseTable::header() const {
  return *reinterpret_cast<const Header*>(file_->read(0));
}
LeaseTable::Header& LeaseTable::edit_header() { return *reinterpret_cast<Header*>(file_->edit(0)); }
const std::byte* LeaseTable::remark() const { return header().remark.data(); }
std::byte* LeaseTable::edit_remark() { return edit_header().remark.data(); }

PagedArray<LeaseTable::Block> LeaseTable::blocks() const { return {*file_, 1}; }
PagedArray<std::uint32_t> LeaseTable::owners() const { return {*file_, Layout(header()).owners}; }
PagedArray<LeaseTable::Entry> LeaseTable::entries() const { return {*file_, Layout(header()).entries}; }

LeaseTable LeaseTable::make(std::size_t entries, std::size_t blocks) {
  Header header{};
  header.magic = magic;
  header.entry_capacity = header.owner_capacity = static_cast<std::uint32_t>(std::bit_ceil(entries));
  header.block_capacity = static_cast<std::uint32_t>(std::bit_ceil(blocks));
  header.unused = header.resting_first = header.resting_last = none;
  LeaseTable table(PagedFile::fresh(Layout(header).end));
  std::memcpy(table.file_->edit(0), &header, sizeof header);
  auto owners = table.owners();
  for (std::size_t i = 0; i < header.owner_capacity; ++i) owners.edit(i) = none;
  return table;
}

LeaseTable LeaseTable::build(const Contents& contents) {
  std::vector<IpNumber> names;
  for (const Lease& lease : contents.held) names.push_back(key_of(lease.address) / addresses_per_block);
  for (const Rest& rest : contents.resting) names.push_back(key_of(rest.address) / addresses_per_block);
  const std::size_t count = names.size();
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  LeaseTable table = make(std::max(smallest, 2 * count), std::max(smallest / 4, 4 * names.size()));
  for (const Lease& lease : contents.held)
    if (!table.is_held(lease.address)) table.add(lease.address, lease.owner);
  for (const Rest& rest : contents.resting) table.rest(rest.address, rest.since);
  return table;
}

LeaseTable LeaseTable::attach(PagedFile file) {
  LeaseTable table(std::move(file));
  const Header& header = table.header();
  if (header.magic != magic || !std::has_single_bit(header.block_capacity) ||
      !std::has_single_bit(header.owner_capacity) || Layout(header).end != table.file_->page_count())
    throw DamagedFile("index: is not one");
  return table;
}

// Open addressing. Blocks are never given up, so nothing has to be moved or marked when an address is
// released.
std::size_t LeaseTable::find_block(const IpAddress& address, bool& found) const {
  const IpNumber name = key_of(address) / addresses_per_block + 1;
  const auto table = blocks();
  const std::size_t capacity = header().block_capacity;
  const std::uint64_t hash =
      (static_cast<std::uint64_t>(name) ^ static_cast<std::uint64_t>(name >> 64) * 0xff51afd7ed558ccd) *
      0x9e3779b97f4a7c15;
  std::size_t at = (hash >> 32) & (capacity - 1);
  for (std::size_t steps = 0; steps < capacity; ++steps, at = (at + 1) & (capacity - 1)) {
    const Block& block = table[at];
    found = block.name == name;
    if (found || block.name == 0) return at;
  }
  throw_damaged();
}

bool LeaseTable::bit(const IpAddress& address, bool resting) const {
  bool found = false;
  const Block& block = blocks()[find_block(address, found)];
  const auto number = static_cast<unsigned>(key_of(address) % addresses_per_block);
  return found && ((resting ? block.resting : block.held)[number / 64] >> number % 64 & 1) != 0;
}

void LeaseTable::set_bit(const IpAddress& address, bool resting, bool value) {
  bool found = false;
  const std::size_t at = find_block(address, found);
  Block& block = blocks().edit(at);
  if (!found) {
    block.name = key_of(address) / addresses_per_block + 1;
    ++edit_header().block_count;
  }
  const auto number = static_cast<unsigned>(key_of(address) % addresses_per_block);
  std::uint64_t& word = (resting ? block.resting : block.held)[number / 64];
  const std::uint64_t mask = std::uint64_t{1} << number % 64;
  word = value ? word | mask : word & ~mask;
}

std::optional<IpAddress> LeaseTable::next_free(const IpAddress& first, const IpAddress& last) const {
  const IpNumber end = key_of(last);
  for (IpNumber key = key_of(first); key <= end;) {
    bool found = false;
    const Block& block = blocks()[find_block(address_of(key), found)];
    if (!found) return address_of(key);
    for (auto number = static_cast<unsigned>(key % addresses_per_block); number < addresses_per_block;
         number = (number / 64 + 1) * 64) {
      const std::uint64_t busy = (block.held[number / 64] | block.resting[number / 64]) >> number % 64;
      const auto skip = static_cast<unsigned>(std::countr_one(busy));
      if (skip >= 64 - number % 64) continue;
      const IpNumber free = key / addresses_per_block * addresses_per_block + number + skip;
      return free <= end ? std::optional(address_of(free)) : std::nullopt;
    }
    const IpNumber next = (key / addresses_per_block + 1) * addresses_per_block;
    if (next <= key) return std::nullopt;  // the end of all addresses
    key = next;
  }
  return std::nullopt;
}

bool LeaseTable::is_held(const IpAddress& address) const { return bit(address, false); }

std::vector<IpAddress> LeaseTable::held_by(std::uint64_t owner) const {
  std::vector<IpAddress> held;
  const auto table = entries();
  const std::size_t limit = header().entry_count;
  std::size_t steps = 0;
  for (std::uint32_t at = owners()[owner & (header().owner_capacity - 1)]; at != none; at = table[at].next) {
    if (at >= limit || ++steps > limit || table[at].is_held == 0) throw_damaged();
    if (table[at].owner_or_since == owner) held.push_back(address_of(table[at].key));
  }
  return held;
}

std::optional<IpAddress> LeaseTable::oldest_resting(
    const std::function<bool(const IpAddress&)>& suits) const {
  const auto table = entries();
  const std::size_t limit = header().entry_count;
  std::size_t steps = 0;
  for (std::uint32_t at = header().resting_first; at != none; at = table[at].next) {
    if (at >= limit || ++steps > limit) throw_damaged();
    const IpAddress address = address_of(table[at].key);
    if (suits(address)) return address;
  }
  return std::nullopt;
}

LeaseTable::Contents LeaseTable::contents() const {
  Contents contents;
  const auto table = entries();
  const std::size_t count = std::min(header().entry_count, header().entry_capacity);
  for (std::size_t i = 0; i < count; ++i)
    if (table[i].is_held != 0) contents.held.push_back({address_of(table[i].key), table[i].owner_or_since});
  (void)oldest_resting([&](const IpAddress&) { return false; });  // throws where the list goes in circles
  for (std::uint32_t at = header().resting_first; at != none; at = table[at].next)
    contents.resting.push_back(
        {address_of(table[at].key), static_cast<std::int64_t>(table[at].owner_or_since)});
  return contents;
}

bool LeaseTable::is_full() const {
  const Header& now = header();
  const bool no_entry = now.unused == none && now.entry_count >= now.entry_capacity;
  return no_entry || now.block_count >= now.block_capacity / 4 * 3;
}

void LeaseTable::grow() {
  std::array<std::byte, remark_size> kept{};
  std::memcpy(kept.data(), remark(), kept.size());
  *this = build(contents());
  std::memcpy(edit_remark(), kept.data(), kept.size());
}

std::uint32_t LeaseTable::new_entry() {
  Header& now = edit_header();
  const std::uint32_t at = now.unused != none ? now.unused : now.entry_count;
  if (at >= now.entry_capacity) throw_damaged();
  if (now.unused != none)
    now.unused = entries()[at].next;
  else
    ++now.entry_count;
  return at;
}

void LeaseTable::add(const IpAddress& address, std::uint64_t owner) {
  if (is_full()) grow();
  if (bit(address, true)) stop_resting(address);
  const std::uint32_t at = new_entry();
  auto heads = owners();
  std::uint32_t& head = heads.edit(owner & (header().owner_capacity - 1));
  entries().edit(at) = {key_of(address), owner, head, 1};
  head = at;
  set_bit(address, false, true);
}

void LeaseTable::remove(const IpAddress& address, std::uint64_t owner) {
  auto table = entries();
  auto heads = owners();
  const std::size_t bucket = owner & (header().owner_capacity - 1);
  const std::size_t limit = header().entry_count;
  std::uint32_t previous = none;
  std::size_t steps = 0;
  for (std::uint32_t at = heads[bucket]; at != none; previous = at, at = table[at].next) {
    if (at >= limit || ++steps > limit) throw_damaged();
    if (table[at].owner_or_since != owner || table[at].key != key_of(address)) continue;
    (previous == none ? heads.edit(bucket) : table.edit(previous).next) = table[at].next;
    table.edit(at) = {0, 0, header().unused, 0};
    edit_header().unused = at;
    set_bit(address, false, false);
    return;
  }
}

void LeaseTable::rest(const IpAddress& address, std::int64_t since) {
  if (is_held(address) || bit(address, true)) return;
  if (is_full()) grow();
  const std::uint32_t at = new_entry();
  auto table = entries();
  table.edit(at) = {key_of(address), static_cast<std::uint64_t>(since), none, 0};
  Header& now = edit_header();
  (now.resting_last == none ? now.resting_first : table.edit(now.resting_last).next) = at;
  now.resting_last = at;
  set_bit(address, true, true);
}

void LeaseTable::unlink_resting(std::uint32_t previous, std::uint32_t at) {
  auto table = entries();
  Header& now = edit_header();
  const Entry entry = table[at];
  (previous == none ? now.resting_first : table.edit(previous).next) = entry.next;
  if (now.resting_last == at) now.resting_last = previous;
  table.edit(at) = {0, 0, now.unused, 0};
  now.unused = at;
  set_bit(address_of(entry.key), true, false);
}

void LeaseTable::stop_resting(const IpAddress& address) {
  const auto table = entries();
  const std::size_t limit = header().entry_count;
  std::uint32_t previous = none;
  std::size_t steps = 0;
  for (std::uint32_t at = header().resting_first; at != none; previous = at, at = table[at].next) {
    if (at >= limit || ++steps > limit) throw_damaged();
    if (table[at].key == key_of(address)) return unlink_resting(previous, at);
  }
}

void LeaseTable::wake(std::int64_t limit) {
  for (std::size_t count = 0; count < most_woken; ++count) {
    const std::uint32_t first = header().resting_first;
    if (first == none) return;
    if (first >= header().entry_count) throw_damaged();
    if (static_cast<std::int64_t>(entries()[first].owner_or_since) > limit) return;
    unlink_resting(none, first);
  }
}

}  // namespace onlink::ipam
