// SPDX-License-Identifier: Apache-2.0
// The output of another program, for reports. The program may be missing, hang, or print without end.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace onlink {

struct CommandLimits {
  std::chrono::milliseconds time;
  std::size_t bytes = 0;  // of output
};

struct CommandOutput {
  std::string text;     // standard output and error, as they came
  std::string failure;  // "ended with status 1", "did not end within 10 s: killed"; empty: it ended with 0
};

// Runs a program found in PATH, with /dev/null as standard input and none of our other descriptors, and waits for it. A
// program that takes longer or prints more is killed (that process alone). Never throws for what the program does.
CommandOutput run_for_output(const std::vector<std::string>& command, const CommandLimits& limits);

}  // namespace onlink
