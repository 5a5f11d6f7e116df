// SPDX-License-Identifier: Apache-2.0
// The commands of onlink-ipam for people: list, release, check. They work on the network folders below
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
  bool again = false;  // --watch: run it again, until the program is ended
};

std::string help_text();

// arguments: without the program's name.
Answer run_command(const std::vector<std::string_view>& arguments);

}  // namespace onlink::ipam
