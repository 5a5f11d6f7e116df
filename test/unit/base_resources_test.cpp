// SPDX-License-Identifier: Apache-2.0
// Failure, Rollback and files.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

#include "base/failure.h"
#include "base/file.h"
#include "base/rollback.h"

namespace onlink {
namespace {

TEST(Failure, ContextIsPrependedAndTheErrnoStays) {
  try {
    with_context("attach c1", [] { throw system_failure("create veth onl1", EEXIST); });
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_STREQ(failure.what(), "attach c1: create veth onl1: File exists (EEXIST)");
    EXPECT_TRUE(failure.already_exists());
    EXPECT_FALSE(failure.missing());
  }
}

TEST(Rollback, RunsInReverseAndOneFailureDoesNotStopTheOthers) {
  std::string order;
  std::string report;
  {
    Rollback undo([&](const std::string& message) { report = message; });
    undo.add("one", [&] { order += "1"; });
    undo.add("two", [] { throw Failure("no"); });
    undo.add("three", [&] { order += "3"; });
  }
  EXPECT_EQ(order, "31");
  EXPECT_EQ(report, "could not two: no");
}

TEST(Rollback, CommitKeepsEverything) {
  bool undone = false;
  {
    Rollback undo;
    undo.add("it", [&] { undone = true; });
    undo.commit();
  }
  EXPECT_FALSE(undone);
}

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/onlink-file-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(FileTest, ReplaceKeepsTheOldContentWhenItFails) {
  const std::string path = folder_ + "/mtu";
  replace_file(AT_FDCWD, path, "1480\n");
  EXPECT_EQ(read_file(AT_FDCWD, path), "1480\n");
  EXPECT_THROW(replace_file(AT_FDCWD, folder_ + "/absent/mtu", "x"), Failure);
  ASSERT_EQ(::mkdir((folder_ + "/d").c_str(), 0755), 0);
  EXPECT_THROW(replace_file(AT_FDCWD, folder_ + "/d", "x"), Failure);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2)
      << "no temporary file is left";
}

TEST_F(FileTest, AbsentIsNothingAndTooLargeIsAnError) {
  EXPECT_FALSE(read_file(AT_FDCWD, folder_ + "/absent"));
  const UniqueFd zeros = open_file(AT_FDCWD, "/dev/zero", O_RDONLY);
  EXPECT_THROW((void)read_all(zeros.get(), "/dev/zero", 1000), Failure);
}

TEST_F(FileTest, DirectoriesAreMadeWithTheirParents) {
  make_directories(folder_ + "/a/b/c");
  make_directories(folder_ + "/a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder_ + "/a/b/c"));
}

}  // namespace
}  // namespace onlink
