// SPDX-License-Identifier: Apache-2.0
// The plugin's log: one line for each step, to the file that the configuration names; never to standard
// output.
//   2026-11-22T09:33:01.123Z info ADD 3f2a...:eth0 lease 10.10.0.2: 0.21 ms
//   2026-11-22T09:33:02.456Z error ADD 3f2a...:eth0 code 102: no addresses ...
// Without a file only errors and remarks are logged, to standard error, which runtimes keep.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "cni/request.h"
#include "plugin/config.h"

namespace onlink::plugin {

class Log {
 public:
  // A log file that cannot be opened is reported on standard error and does not fail the call.
  Log(const NetConf& config, const cni::Request& request);

  void error(std::string_view text) { write(LogLevel::error, text); }
  void info(std::string_view text) { write(LogLevel::info, text); }
  // What someone who asks for the state should know: also without a file.
  void remark(std::string_view text) { write(file_ ? LogLevel::info : LogLevel::error, text); }
  // Text that is made only if it is logged.
  template <class MakeText>
  void debug(MakeText&& make_text) {
    if (file_ && level_ >= LogLevel::debug) write(LogLevel::debug, make_text());
  }
  // A step that just ended, with the time since the last one.
  void step(std::string_view what);
  // Runs an action and logs, once, the Failure that leaves it, with its code, which onlink-node counts.
  template <class Action>
  auto failures(Action&& action) {
    try {
      return action();
    } catch (const Failure& failure) {
      fail(failure);
      throw;
    }
  }

 private:
  void write(LogLevel level, std::string_view text);
  void fail(const Failure& failure);

  LogLevel level_;
  bool is_status_;
  UniqueFd file_;
  std::string subject_;     // "ADD <container>:<ifname>"
  std::int64_t last_step_;  // CLOCK_MONOTONIC, nanoseconds
};

}  // namespace onlink::plugin
