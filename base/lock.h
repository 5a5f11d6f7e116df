// SPDX-License-Identifier: Apache-2.0
// Waiting for locks of files, for a bounded time. Closing the descriptor releases them.
//
// A free lock takes one system call. Otherwise the process queues in the kernel (polling would lose against
// processes that queue), and a timer interrupts the wait: SIGALRM and ITIMER_REAL are used meanwhile and
// restored afterwards. For single-threaded programs.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace onlink {

// Takes the exclusive lock on an open file (flock(2)). Throws Failure; where the lock is not free in time, of
// kind try_again, with the holder's name.
void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout);

// Takes the lock on one byte of a file that is open for writing; the byte need not exist. It belongs to the open file
// description (fcntl(2), F_OFD_SETLK). False where it is not free in time. Throws Failure.
bool lock_byte(int fd, off_t byte, const std::string& name, std::chrono::milliseconds timeout);
// Whether somebody has such a lock on the byte, or without one on any: tested without taking it, which could block others.
// Throws Failure (try_again) where the kernel does not say.
bool is_locked(int fd, const std::string& name, std::optional<off_t> byte = {});
// The lock on all of a file that nobody else has opened yet. Throws Failure.
void lock_new_file(int fd, const std::string& name);
// Ends such locks also where another process has inherited the description.
void unlock(int fd) noexcept;

}  // namespace onlink
