// SPDX-License-Identifier: Apache-2.0
// What onlink-ipam does for a person: show, release, explain. A command line for each network folder below
// dataDir.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace onlink::ipam {

struct Answer {
  std::string output;
  std::string error;
  int status = 0;      // 0: done; 1: it could not be done, or faults were found; 2: the command line is wrong
  bool again = false;  // --watch: the person wants to see it anew, until the program is ended
};

std::string help_text();

// arguments: without the program's name.
Answer run_command(const std::vector<std::string_view>& arguments);

}  // namespace onlink::ipam
