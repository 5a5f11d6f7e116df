// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

namespace onlink {

// Makes a system call until no signal interrupts it (EINTR; signal(7) lists those that it can happen to).
// Returns what the call returned, with its errno.
template <typename Call>
auto uninterrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace onlink
