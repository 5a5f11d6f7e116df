// SPDX-License-Identifier: Apache-2.0
// Waiting for flock(2), for a bounded time.
#pragma once

#include <chrono>
#include <string>

namespace onlink {

// Takes the exclusive lock on an open file; closing the descriptor gives it back. Throws Failure (try_again)
// that names the holder when it does not come free in time.
//
// Where the lock is free this is one system call. Otherwise the process queues in the kernel as others
// do (one that only tried now and then would lose against those who queue) and a timer interrupts it:
// SIGALRM and ITIMER_REAL are used for that long and are then as before. For programs of one thread.
void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout);

}  // namespace onlink
