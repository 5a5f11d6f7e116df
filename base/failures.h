// SPDX-License-Identifier: Apache-2.0
// For work that is done as far as possible: every step is tried, and failures are reported together at the
// end.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "base/failure.h"

namespace onlink {

class Failures {
 public:
  // False where it failed.
  template <class Action>
  bool attempt(Action&& action) {
    try {
      action();
      return true;
    } catch (const Failure& failure) {
      add(failure);
      return false;
    }
  }

  // Rethrows the first failure, with its kind and errno; the messages of the others become its details.
  void throw_if_any() const {
    if (!first_) return;
    try {
      std::rethrow_exception(first_);
    } catch (Failure& failure) {
      for (const std::string& text : others_) failure.append_detail(text);
      throw;
    }
  }

 private:
  void add(const Failure& failure) {  // inside a handler only
    if (!first_)
      first_ = std::current_exception();
    else
      others_.emplace_back(failure.what());
  }

  std::exception_ptr first_;
  std::vector<std::string> others_;
};

}  // namespace onlink
