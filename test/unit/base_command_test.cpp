// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/command.h"

namespace onlink {
namespace {

constexpr CommandLimits generous{std::chrono::minutes(5), 1u << 20};
constexpr CommandLimits brief{std::chrono::milliseconds(300), 1u << 20};

TEST(RunForOutput, HasBothStreamsAndTheStatus) {
  const auto output = run_for_output({"sh", "-c", "echo out; echo err >&2; exit 3"}, generous);
  EXPECT_EQ(output.text, "out\nerr\n");
  EXPECT_EQ(output.failure, "ended with status 3");
  EXPECT_EQ(run_for_output({"true"}, generous).failure, "");
}

TEST(RunForOutput, ThereIsNothingToRead) { EXPECT_EQ(run_for_output({"cat"}, generous).failure, ""); }

TEST(RunForOutput, AProgramThatIsMissingIsSaid) {
  EXPECT_NE(run_for_output({"onlink-no-such-program"}, generous).failure.find("(ENOENT)"), std::string::npos);
}

TEST(RunForOutput, WhatHangsIsKilled) {
  EXPECT_NE(run_for_output({"sleep", "1000"}, brief).failure.find("killed"), std::string::npos);
}

TEST(RunForOutput, WhatHangsWithoutAnOutputIsKilled) {
  EXPECT_NE(run_for_output({"sh", "-c", "exec sleep 1000 >&- 2>&-"}, brief).failure.find("killed"),
            std::string::npos);
}

TEST(RunForOutput, WhatHasNoEndIsEnded) {
  const auto output = run_for_output({"yes"}, {std::chrono::minutes(5), 1000});
  EXPECT_GT(output.text.size(), 1000u);
  EXPECT_LT(output.text.size(), 100000u);
  EXPECT_EQ(output.failure, "printed more than 1000 bytes: killed");
}

}  // namespace
}  // namespace onlink
