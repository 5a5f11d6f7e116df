// SPDX-License-Identifier: Apache-2.0
// Waiting for locks of files, for a bounded time. Closing the descriptor releases them.
//
// A free lock takes one system call. Otherwise the process queues in the kernel (polling would lose against
// processes that queue), and a timer interrupts the wait: SIGALRM and ITIMER_REAL are used meanwhile and
// restored afterwards. For single-threaded programs.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <chrono>
#include <string>

namespace onlink {

// Takes the exclusive lock on an open file (flock(2)). Throws Failure; where the lock is not free in time, of
// kind try_again, with the holder's name.
void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout);

// Takes the lock on one byte of a file that is open for writing; the byte need not exist. It belongs to the open file
// description (fcntl(2), F_OFD_SETLK). False where it is not free in time. Throws Failure.
bool lock_byte(int fd, off_t byte, const std::string& name, std::chrono::milliseconds timeout);
// A lock of the whole file for F_OFD_SETLK and F_OFD_GETLK: it belongs to the open file description.
struct flock whole_file(short type);
// Ends such locks also where another process has inherited the description.
void unlock(int fd) noexcept;

}  // namespace onlink
