// SPDX-License-Identifier: Apache-2.0
// What the plugin onlink writes into its log (plugin/log.h), as far as it counts: calls that failed, by their codes
// (cni/error.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace onlink::node {

class PluginLog {
 public:
  // What is in the file already is not counted. The file may come later.
  explicit PluginLog(std::string path);

  // Reads what has come since, at most 4 MiB at a time. A file that was renamed is read to its end before the one that
  // has its place; one that was truncated is read from its beginning.
  void read();

  // By command and code: {"ADD", "11"}.
  using Failures = std::map<std::pair<std::string, std::string>, std::uint64_t>;
  const Failures& failures() const { return failures_; }
  const std::string& path() const { return path_; }

 private:
  bool open();
  void read_to_end();
  void take(std::string_view line);

  std::string path_;
  UniqueFd file_;
  off_t at_ = 0;
  std::string rest_;  // of a line that is not whole yet
  Failures failures_;
};

}  // namespace onlink::node
