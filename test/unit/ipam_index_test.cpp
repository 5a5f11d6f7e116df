// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace onlink::ipam {
namespace {

IpAddress v4(std::uint32_t number) { return IpAddress::from_number(IpFamily::v4, number); }
IpAddress v6(std::uint64_t high, std::uint64_t low) {
  return IpAddress::from_number(IpFamily::v6, IpNumber{high} << 64 | low);
}
cni::Attachment owner(std::uint64_t number) { return {"c" + std::to_string(number), "eth0"}; }
bool any(const IpAddress&) { return true; }

// The index says what it was told, whatever files there are: they are not looked at while its seal fits.
class IndexTest : public testing::Test {
 protected:
  IndexTest() {
    std::string pattern = testing::TempDir() + "onlink-index-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    folder_ = Folder::open(root_ + "/data", "net", Folder::IfMissing::create);
    evidence_.emplace(root_ + "/run", *folder_, nullptr);
  }
  ~IndexTest() override { std::filesystem::remove_all(root_); }

  Index open() const { return {*folder_, *evidence_}; }
  std::string path() const { return evidence_->path() + "/index"; }

  std::string root_;
  std::optional<Folder> folder_;
  std::optional<Evidence> evidence_;
};

TEST_F(IndexTest, NextFreeSkipsWhatIsHeldOrResting) {
  Index index = open();
  EXPECT_EQ(index.next_free(v4(10), v4(20)), v4(10));
  for (std::uint32_t n = 10; n < 16; ++n) index.add(v4(n), owner(1));
  index.remove(v4(15));
  EXPECT_EQ(index.next_free(v4(10), v4(20)), v4(16));
  EXPECT_EQ(index.next_free(v4(10), v4(15)), std::nullopt);
  EXPECT_EQ(index.next_free(v4(9), v4(9)), v4(9));
  index.wake(std::chrono::seconds(0));
  EXPECT_EQ(index.next_free(v4(10), v4(20)), v4(15));
}

TEST_F(IndexTest, TheLastAddressesThereAre) {
  Index index = open();
  index.add(v4(UINT32_MAX), owner(1));
  EXPECT_EQ(index.next_free(v4(UINT32_MAX), v4(UINT32_MAX)), std::nullopt);
  for (std::uint64_t low = UINT64_MAX; low > UINT64_MAX - 300; --low)
    index.add(v6(UINT64_MAX, low), owner(1));
  EXPECT_EQ(index.next_free(v6(UINT64_MAX, UINT64_MAX - 299), v6(UINT64_MAX, UINT64_MAX)), std::nullopt);
  EXPECT_EQ(index.next_free(v6(UINT64_MAX, UINT64_MAX - 300), v6(UINT64_MAX, UINT64_MAX)),
            v6(UINT64_MAX, UINT64_MAX - 300));
}

TEST_F(IndexTest, ReleasedAddressesComeBackOldestFirst) {
  Index index = open();
  for (const std::uint32_t n : {3u, 1u, 4u, 2u, 6u}) {
    index.add(v4(n), owner(n));
    index.remove(v4(n));
  }
  const auto even = [](const IpAddress& address) { return address.number() % 2 == 0; };
  EXPECT_EQ(index.oldest_resting(any), v4(3));
  EXPECT_EQ(index.oldest_resting(even), v4(4));
  index.add(v4(4), owner(9));  // given to someone who asked for it
  EXPECT_EQ(index.oldest_resting(even), v4(2));
}

TEST_F(IndexTest, IsNotTrustedOnceSomebodyHasChangedTheFolder) {
  {
    Index index = open();
    index.add(v4(1), owner(1));
    index.save();
  }
  EXPECT_EQ(open().why_rebuilt(), "");
  EXPECT_EQ(open().taken().size(), 1u);
  std::ofstream(folder_->path() + "/10.0.0.1") << "c2\r\neth0";
  Index index = open();
  EXPECT_EQ(index.why_rebuilt(), "the folder was changed by others, or by a process that died");
  EXPECT_EQ(index.taken(), std::vector{v4(0x0a000001)});
  EXPECT_EQ(index.oldest_resting(any), v4(1)) << "what has no file any more was released just now";
  index.distrust();
  index.save();
  EXPECT_NE(open().why_rebuilt(), "");
}

// Against the plainest model there is, through being written and read again.
class IndexRandom : public IndexTest, public testing::WithParamInterface<unsigned> {
 protected:
  IpAddress any_address() {
    switch (random_() % 3) {
      case 0:
        return v4(static_cast<std::uint32_t>(0x0a000000 + random_() % 700));
      case 1:
        return v6(0xfd00, random_() % 700);
      default:
        return v6(0xfd01, random_() * 977);
    }
  }

  void step(Index& index) {
    const IpAddress address = any_address();
    const auto held = held_.find(address);
    if (held == held_.end()) {
      const std::uint64_t number = random_() % 300;
      index.add(address, owner(number));
      held_[address] = number;
      resting_.remove(address);
    } else {
      index.remove(address);
      held_.erase(held);
      resting_.push_back(address);
    }
    if (random_() % 500 != 0) return;
    index.wake(std::chrono::seconds(0));
    resting_.clear();
  }

  void compare(const Index& index) {
    std::vector<IpAddress> taken;
    for (const auto& [address, number] : held_) taken.push_back(address);
    ASSERT_EQ(index.taken(), taken);
    ASSERT_EQ(index.oldest_resting(any), resting_.empty() ? std::nullopt : std::optional(resting_.front()));
    const std::uint64_t number = random_() % 300;
    std::size_t count = 0;
    for (const auto& [address, holder] : held_) count += holder == number ? 1 : 0;
    ASSERT_EQ(index.held_by(owner(number)).size(), count);
    ASSERT_EQ(index.taken({owner(number)}).size(), held_.size() - count);
    const IpAddress last = v4(0x0a000000 + 699);
    IpAddress from = v4(static_cast<std::uint32_t>(0x0a000000 + random_() % 700));
    const auto free = index.next_free(from, last);
    while (from <= last &&
           (held_.count(from) != 0 || std::find(resting_.begin(), resting_.end(), from) != resting_.end()))
      from = IpAddress::from_number(IpFamily::v4, from.number() + 1);
    ASSERT_EQ(free, from <= last ? std::optional(from) : std::nullopt);
  }

  std::mt19937 random_{GetParam()};
  std::map<IpAddress, std::uint64_t> held_;
  std::list<IpAddress> resting_;
};

TEST_P(IndexRandom, DoesWhatAMapWouldDo) {
  for (int round = 0; round < 20; ++round) {
    Index index = open();
    ASSERT_EQ(index.why_rebuilt(), round == 0 ? "there is no index" : "");
    ASSERT_NO_FATAL_FAILURE(compare(index));
    for (int i = 0; i < 200; ++i) step(index);
    ASSERT_NO_FATAL_FAILURE(compare(index));
    index.save();
  }
}

// Whatever bit of the file is changed, or where it is cut: that is noticed.
TEST_P(IndexRandom, DamageIsNoticed) {
  {
    Index index = open();
    for (int i = 0; i < 500; ++i) step(index);
    index.save();
  }
  ASSERT_EQ(open().why_rebuilt(), "");
  std::ifstream stream(path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), {}};
  for (int i = 0; i < 100; ++i) {
    std::string damaged = whole;
    char& byte = damaged[random_() % damaged.size()];
    if (i % 3 == 0)
      damaged.resize(random_() % damaged.size());
    else
      byte = static_cast<char>(byte ^ (1 << random_() % 8));
    std::ofstream(path(), std::ios::binary) << damaged;
    ASSERT_NE(open().why_rebuilt(), "") << i;
  }
  std::ofstream(path(), std::ios::binary) << whole;
  ASSERT_NO_FATAL_FAILURE(compare(open()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, IndexRandom, testing::Values(1u, 2u, 3u));

}  // namespace
}  // namespace onlink::ipam
