// SPDX-License-Identifier: Apache-2.0
// For waiting on several descriptors: one that stands for them all, and a timer. what: the attempt in a
// Failure's message, "watch kernel table".
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace onlink {

// epoll(7): readable when one of the added descriptors is.
class Descriptors {
 public:
  explicit Descriptors(std::string what);

  int descriptor() const { return epoll_.get(); }
  // For reading, until it is closed. Throws Failure.
  void add(int descriptor) const;

 private:
  std::string what_;
  UniqueFd epoll_;
};

// timerfd_create(2), CLOCK_MONOTONIC: readable once it has expired.
class Timer {
 public:
  explicit Timer(const std::string& what);

  int descriptor() const { return fd_.get(); }
  // Expires once, this many milliseconds from now, never sooner; immediately for 0 and less.
  void set(std::int64_t milliseconds) const;
  void stop() const;
  // Whether it has expired since the last call. Does not wait. Throws Failure.
  bool expired() const;

 private:
  UniqueFd fd_;
};

}  // namespace onlink
