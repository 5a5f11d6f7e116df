// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

namespace onlink {

// Repeats a system call until no signal interrupts it (EINTR; signal(7) lists the calls concerned). Returns
// what the call returned, with its errno.
template <typename Call>
auto uninterrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace onlink
