// SPDX-License-Identifier: Apache-2.0
#include "ipam/lease_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <list>
#include <map>
#include <random>

#include "base/file.h"

namespace onlink::ipam {
namespace {

IpAddress v4(std::uint32_t number) { return IpAddress::from_number(IpFamily::v4, number); }
IpAddress v6(std::uint64_t high, std::uint64_t low) {
  return IpAddress::from_number(IpFamily::v6, IpNumber{high} << 64 | low);
}

TEST(LeaseTable, NextFreeSkipsWhatIsHeldOrResting) {
  LeaseTable table = LeaseTable::build({});
  EXPECT_EQ(table.next_free(v4(10), v4(20)), v4(10));
  for (std::uint32_t n = 10; n < 15; ++n) table.add(v4(n), 1);
  table.rest(v4(15), 5);
  EXPECT_EQ(table.next_free(v4(10), v4(20)), v4(16));
  EXPECT_EQ(table.next_free(v4(10), v4(15)), std::nullopt);
  EXPECT_EQ(table.next_free(v4(9), v4(9)), v4(9));
  table.remove(v4(12), 1);
  EXPECT_EQ(table.next_free(v4(10), v4(20)), v4(12));
  table.wake(5);
  EXPECT_EQ(table.next_free(v4(13), v4(20)), v4(15));
}

TEST(LeaseTable, TheLastAddressesThereAre) {
  LeaseTable table = LeaseTable::build({});
  table.add(v4(UINT32_MAX), 1);
  EXPECT_EQ(table.next_free(v4(UINT32_MAX), v4(UINT32_MAX)), std::nullopt);
  table.add(v6(UINT64_MAX, UINT64_MAX), 1);
  EXPECT_EQ(table.next_free(v6(UINT64_MAX, UINT64_MAX), v6(UINT64_MAX, UINT64_MAX)), std::nullopt);
  for (std::uint64_t low = UINT64_MAX - 299; low < UINT64_MAX; ++low) table.add(v6(UINT64_MAX, low), 1);
  EXPECT_EQ(table.next_free(v6(UINT64_MAX, UINT64_MAX - 299), v6(UINT64_MAX, UINT64_MAX)), std::nullopt);
}

TEST(LeaseTable, ReleasedAddressesComeBackOldestFirst) {
  LeaseTable table = LeaseTable::build({});
  for (std::uint32_t n = 1; n <= 5; ++n) table.rest(v4(n), n);
  const auto even = [](const IpAddress& address) { return address.number() % 2 == 0; };
  EXPECT_EQ(table.oldest_resting(even), v4(2));
  table.add(v4(2), 9);  // given to someone who asked for it
  EXPECT_EQ(table.oldest_resting(even), v4(4));
  table.add(v4(5), 9);  // the last of the list
  table.rest(v4(6), 6);
  EXPECT_EQ(table.oldest_resting([](const IpAddress& address) { return address.number() > 4; }), v4(6));
  table.wake(4);
  EXPECT_EQ(table.oldest_resting([](const IpAddress&) { return true; }), v4(6));
}

// Against the plainest model there is, through growth and being written and read again.
class LeaseTableRandom : public testing::TestWithParam<unsigned> {
 protected:
  LeaseTableRandom() {
    std::string pattern = testing::TempDir() + "onlink-table-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    directory_ = open_file(AT_FDCWD, root_, O_RDONLY | O_DIRECTORY);
  }
  ~LeaseTableRandom() override { std::filesystem::remove_all(root_); }

  IpAddress any_address() {
    switch (random_() % 3) {
      case 0:
        return v4(static_cast<std::uint32_t>(0x0a000000 + random_() % 700));
      case 1:
        return v6(0xfd00, random_() % 700);
      default:
        return v6(0xfd01, random_() * 977);  // far apart: a block for each
    }
  }

  void step(LeaseTable& table) {
    const IpAddress address = any_address();
    const auto held = held_.find(address);
    const auto resting = std::find(resting_.begin(), resting_.end(), address);
    switch (random_() % 4) {
      case 0:
      case 1: {
        if (held != held_.end()) return;
        const std::uint64_t owner = random_() % 300 * 0x100000001;
        table.add(address, owner);
        held_[address] = owner;
        if (resting != resting_.end()) resting_.erase(resting);
        return;
      }
      case 2:
        if (held == held_.end()) return;
        table.remove(address, held->second + 1);  // not the owner: nothing happens
        table.remove(address, held->second);
        held_.erase(held);
        if (random_() % 2 == 0) return;
        table.rest(address, ++time_);
        resting_.push_back(address);
        return;
      default:
        if (resting_.empty() || random_() % 8 != 0) return;
        table.wake(time_ - static_cast<std::int64_t>(resting_.size()) + 1);
        break;
    }
    // Each entry of the model is one unit of time; which of them woke is the table's to say.
    std::vector<IpAddress> left;
    for (const LeaseTable::Rest& rest : table.contents().resting) left.push_back(rest.address);
    ASSERT_TRUE(std::equal(left.rbegin(), left.rend(), resting_.rbegin(),
                           std::next(resting_.rbegin(), static_cast<std::ptrdiff_t>(left.size()))));
    resting_.assign(left.begin(), left.end());
  }

  void compare(const LeaseTable& table) {
    std::map<IpAddress, std::uint64_t> held;
    for (const LeaseTable::Lease& lease : table.contents().held) held[lease.address] = lease.owner;
    ASSERT_EQ(held, held_);
    std::list<IpAddress> resting;
    for (const LeaseTable::Rest& rest : table.contents().resting) resting.push_back(rest.address);
    ASSERT_EQ(resting, resting_);
    const std::uint64_t owner = random_() % 300 * 0x100000001;
    std::size_t count = 0;
    for (const auto& [address, holder] : held_) count += holder == owner ? 1 : 0;
    ASSERT_EQ(table.held_by(owner).size(), count);
    IpAddress from = v4(static_cast<std::uint32_t>(0x0a000000 + random_() % 700));
    const auto free = table.next_free(from, v4(0x0a000000 + 699));
    while (from <= v4(0x0a000000 + 699) &&
           (held_.count(from) != 0 || std::find(resting_.begin(), resting_.end(), from) != resting_.end()))
      from = IpAddress::from_number(IpFamily::v4, from.number() + 1);
    ASSERT_EQ(free, from <= v4(0x0a000000 + 699) ? std::optional(from) : std::nullopt);
  }

  std::mt19937 random_{GetParam()};
  std::map<IpAddress, std::uint64_t> held_;
  std::list<IpAddress> resting_;
  std::int64_t time_ = 0;
  std::string root_;
  UniqueFd directory_;
};

TEST_P(LeaseTableRandom, DoesWhatAMapWouldDo) {
  LeaseTable table = LeaseTable::build({});
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(step(table));
    ASSERT_NO_FATAL_FAILURE(compare(table));
    if (round % 4 != 3) continue;
    table.file().write_changes(directory_.get(), "table", "draft");
    table.file().write_first();
    auto file = PagedFile::open(directory_.get(), "table");
    ASSERT_TRUE(file);
    table = LeaseTable::attach(std::move(*file));
    ASSERT_NO_FATAL_FAILURE(compare(table));
  }
}

// Whatever byte of the file is changed or missing: either it was not needed, or that is noticed. Never a
// wrong answer.
TEST_P(LeaseTableRandom, DamageIsNoticed) {
  LeaseTable table = LeaseTable::build({});
  for (int i = 0; i < 500; ++i) step(table);
  table.file().write_changes(directory_.get(), "table", "draft");
  table.file().write_first();
  const std::string path = root_ + "/table";
  const auto size = std::filesystem::file_size(path);
  int noticed = 0;
  for (int i = 0; i < 60; ++i) {
    std::filesystem::copy_file(path, root_ + "/copy", std::filesystem::copy_options::overwrite_existing);
    const UniqueFd fd = open_file(directory_.get(), "copy", O_RDWR);
    const auto at = static_cast<off_t>(random_() % size);
    char byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, at), 1);
    byte = static_cast<char>(byte ^ (1 << random_() % 8));
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
    ASSERT_EQ(i % 3 == 0 ? ::ftruncate(fd.get(), at) : 0, 0);
    try {
      auto file = PagedFile::open(directory_.get(), "copy");
      if (!file) throw DamagedFile("cannot be opened");
      const LeaseTable copy = LeaseTable::attach(std::move(*file));
      ASSERT_NO_FATAL_FAILURE(compare(copy));
    } catch (const DamagedFile&) {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseTableRandom, testing::Values(1u, 2u, 3u));

}  // namespace
}  // namespace onlink::ipam
