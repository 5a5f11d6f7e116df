// SPDX-License-Identifier: Apache-2.0
// What another program has to say, for reports: it may be missing, hang or have no end.
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
  std::string failure;  // "ended with status 1", "not ended within 10 s: killed"; empty: it ended with 0
};

// Runs a program that PATH has, with nothing on its standard input and none of our other descriptors, and waits for it. One that takes
// longer, or says more, is killed, by its own process ID. Never throws for what the program does.
CommandOutput run_for_output(const std::vector<std::string>& command, const CommandLimits& limits);

}  // namespace onlink
