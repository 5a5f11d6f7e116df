// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "base/failure.h"
#include "base/file_watch.h"

namespace onlink {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("file-watch-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "etc");
    fs::create_directories(folder_ / "one");
    fs::create_directories(folder_ / "two");
    for (const char* place : {"one/cluster.json", "two/cluster.json"}) write(place);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path at(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name) const { std::ofstream(at(name)) << name; }
  // As `ln -sfn`: another link in its place, at once.
  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, at(name + ".new"));
    fs::rename(at(name + ".new"), at(name));
  }
  // That it says so at once, by its descriptor, and no second time.
  static bool told(FileWatch& watch) {
    pollfd news{watch.descriptor(), POLLIN, 0};
    const bool readable = ::poll(&news, 1, 0) == 1;
    const bool changed = watch.changed();
    EXPECT_TRUE(readable || !changed);
    EXPECT_FALSE(watch.changed());
    return changed;
  }

  fs::path folder_;
};

TEST_F(FileWatchTest, WhatIsWrittenReplacedAndRemovedIsTold) {
  FileWatch watch(at("one/cluster.json"));
  EXPECT_TRUE(watch.changed()) << "the first time";
  EXPECT_FALSE(told(watch));
  write("one/cluster.json");
  EXPECT_TRUE(told(watch));
  write("one/draft");
  EXPECT_FALSE(told(watch)) << "another file of the folder";
  fs::rename(at("one/draft"), at("one/cluster.json"));
  EXPECT_TRUE(told(watch));
  write("one/cluster.json");
  EXPECT_TRUE(told(watch)) << "the new file";
  fs::remove(at("one/cluster.json"));
  EXPECT_TRUE(told(watch));
  write("one/cluster.json");
  EXPECT_TRUE(told(watch));
}

TEST_F(FileWatchTest, ALinkIntoAnotherFolderIsFollowed) {
  link("../one/cluster.json", "etc/cluster.json");
  FileWatch watch(at("etc/cluster.json"));
  (void)watch.changed();
  write("one/cluster.json");
  EXPECT_TRUE(told(watch));
  write("one/draft");
  fs::rename(at("one/draft"), at("one/cluster.json"));
  EXPECT_TRUE(told(watch)) << "replaced behind the link";
  link(at("two/cluster.json"), "etc/cluster.json");
  EXPECT_TRUE(told(watch)) << "another link";
  write("one/cluster.json");
  EXPECT_FALSE(told(watch)) << "where it led before";
  write("two/cluster.json");
  EXPECT_TRUE(told(watch));
}

// ..data leads to a folder of its own for each version; the old one is removed then.
TEST_F(FileWatchTest, AConfigMapIsSwitched) {
  link("../one", "etc/..data");
  link("..data/cluster.json", "etc/cluster.json");
  FileWatch watch(at("etc/cluster.json"));
  (void)watch.changed();
  for (int i = 0; i < 3; ++i) {
    link("../two", "etc/..data");
    EXPECT_TRUE(told(watch)) << i;
    fs::remove_all(at("one"));
    (void)watch.changed();
    fs::create_directory(at("one"));
    write("one/cluster.json");
    EXPECT_FALSE(told(watch)) << i;
    link("../one", "etc/..data");
    EXPECT_TRUE(told(watch)) << i;
  }
}

TEST_F(FileWatchTest, AFolderThatIsReplacedIsFollowed) {
  FileWatch watch(at("one/cluster.json"));
  (void)watch.changed();
  fs::rename(at("one"), at("old"));
  EXPECT_TRUE(told(watch));
  write("old/cluster.json");
  EXPECT_FALSE(told(watch)) << "it is not ours any more";
  fs::rename(at("two"), at("one"));
  EXPECT_TRUE(told(watch));
  write("one/cluster.json");
  EXPECT_TRUE(told(watch));
  fs::remove_all(at("one"));
  EXPECT_TRUE(told(watch));
  fs::create_directory(at("one"));
  EXPECT_TRUE(told(watch));
  write("one/cluster.json");
  EXPECT_TRUE(told(watch));
}

// A file that is mounted alone is written where it comes from.
TEST_F(FileWatchTest, WhatIsWrittenByAnotherNameIsTold) {
  fs::create_hard_link(at("one/cluster.json"), at("two/other"));
  FileWatch watch(at("one/cluster.json"));
  (void)watch.changed();
  write("two/other");
  EXPECT_TRUE(told(watch));
}

// In a user namespace of its own, which has limits of its own below those of the machine.
bool limit(const char* what, int most) {
  return (std::ofstream(std::string("/proc/sys/user/max_inotify_") + what) << most << "\n").flush().good();
}

bool expect(bool right, const char* what) {
  if (!right) std::cerr << "not so: " << what << "\n";
  return right;
}

bool goes_on_without_room(const fs::path& file, const fs::path& other) {
  bool right = limit("instances", 0);
  FileWatch watch(file);
  right = expect(watch.descriptor() < 0, "no descriptor") && right;
  right = expect(watch.problem().find("sysctl -w fs.inotify.max_user_instances=") != std::string::npos,
                 "the limit is told") &&
          right;
  right = expect(watch.changed() && !watch.changed(), "the first look") && right;
  right = limit("instances", 16) && limit("watches", 64) && right;
  watch.renew();
  right = expect(watch.descriptor() >= 0 && watch.problem().empty(), "room again") && right;
  std::ofstream(file) << "news";
  right = expect(watch.changed(), "told again") && right;
  right = limit("watches", 0) && right;
  FileWatch second(other);
  right = expect(second.problem().find("sysctl -w fs.inotify.max_user_watches=") != std::string::npos,
                 "the other limit is told") &&
          right;
  std::ofstream(file) << "more news";
  return expect(watch.changed(), "what was watched before still is") && right;
}

TEST_F(FileWatchTest, LimitsOfTheKernelThatAreUsedUpAreTold) {
  constexpr int refused = 77;
  const auto try_it = [&] {
    if (::unshare(CLONE_NEWUSER) != 0 || !limit("watches", 64)) ::_exit(refused);
    ::_exit(goes_on_without_room(at("one/cluster.json"), at("two/cluster.json")) ? 0 : 1);
  };
  bool can = true;
  EXPECT_EXIT(
      try_it(),
      [&](int status) {
        can = WEXITSTATUS(status) != refused;
        return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || !can);
      },
      "");
  if (!can) GTEST_SKIP() << "no user namespaces here";
}

TEST_F(FileWatchTest, LinksInACircleAreTheEnd) {
  link("b", "etc/a");
  link("a", "etc/b");
  FileWatch watch(at("etc/a"));
  (void)watch.changed();
  fs::remove(at("etc/a"));
  write("etc/a");
  EXPECT_TRUE(told(watch));
  EXPECT_THROW(FileWatch(at("nowhere/cluster.json")), Failure);
}

}  // namespace
}  // namespace onlink
