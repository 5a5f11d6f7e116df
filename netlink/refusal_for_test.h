// SPDX-License-Identifier: Apache-2.0
// Simulated refusals of the kernel: with the variable ONLINK_REFUSE="12 1" the process's 12th netlink message is
// refused with errno 1, and standard error says so. Where there is no message of that number, nothing happens.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace onlink::netlink {

// The errno of the refusal of the next message; 0 where it goes to the kernel.
inline int next_refusal() {
  static const char* const plan = std::getenv("ONLINK_REFUSE");
  static long left = -1;
  static int error = 0;
  if (plan == nullptr) return 0;
  if (left == -1) {
    char* rest = nullptr;
    left = std::strtol(plan, &rest, 10);
    error = static_cast<int>(std::strtol(rest, nullptr, 10));
  }
  if (left <= 0 || --left != 0) return 0;
  (void)std::fputs("refused for a test\n", stderr);
  return error;
}

}  // namespace onlink::netlink
