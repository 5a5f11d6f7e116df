// SPDX-License-Identifier: Apache-2.0
// Counts failed calls in the log of the plugin onlink (plugin/log.h), by their codes (cni/error.h).
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
  // What the file has already does not count. The file need not exist yet.
  explicit PluginLog(std::string path);

  // Reads what was added since, at most 4 MiB at a time. It reads a renamed file to its end before the file that
  // replaced it, and a truncated one from its beginning.
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
  std::string rest_;  // a line that is not complete yet
  Failures failures_;
};

}  // namespace onlink::node
