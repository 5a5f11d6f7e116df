// SPDX-License-Identifier: Apache-2.0
// Runs another program and waits for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace onlink::plugin {

struct Outcome {
  int wait_status = 0;
  std::string output;

  bool succeeded() const;
  // How it ended and what it printed: for a program that did not succeed and has no words of its own.
  Failure failure() const;
};

// command: the path of the program and its arguments. It shares our standard error; its standard output, at
// most 1 MiB, is in the outcome. No shell and no search path is involved; it inherits only the three standard
// descriptors. Throws Failure where it cannot be run; ETXTBSY, a program that is just being replaced, is
// try_again.
Outcome run_program(std::vector<std::string> command, std::vector<std::string> environment,
                    std::string_view input);

}  // namespace onlink::plugin
