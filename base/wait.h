// SPDX-License-Identifier: Apache-2.0
// What whoever follows something over several descriptors needs: one that stands for them all, and a timer.
// what: for the words of a Failure, "watch kernel table".
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace onlink {

// epoll(7): readable when one of those that were added has something.
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

// timerfd_create(2), CLOCK_MONOTONIC: readable when its time has come.
class Timer {
 public:
  explicit Timer(const std::string& what);

  int descriptor() const { return fd_.get(); }
  // Once, so many milliseconds from now, and never sooner; at once for 0 and less.
  void set(std::int64_t milliseconds) const;
  void stop() const;
  // Whether its time has come since this was asked last. Does not wait. Throws Failure.
  bool expired() const;

 private:
  UniqueFd fd_;
};

}  // namespace onlink
