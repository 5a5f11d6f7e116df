// SPDX-License-Identifier: Apache-2.0
// Waiting for flock(2), for a bounded time.
#pragma once

#include <chrono>
#include <string>

namespace onlink {

// Takes the exclusive lock on an open file; closing the descriptor releases it. Throws Failure; where the
// lock is not free in time, of kind try_again, with the holder's name.
//
// A free lock takes one system call. Otherwise the process queues in the kernel (polling would lose against
// processes that queue), and a timer interrupts the wait: SIGALRM and ITIMER_REAL are used meanwhile and
// restored afterwards. For single-threaded programs.
void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout);

}  // namespace onlink
