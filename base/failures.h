// SPDX-License-Identifier: Apache-2.0
// For what must be done as far as it can be: every step is tried, what went wrong is gathered and told at the
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

  // The first as it was thrown, with its kind and code; what the others said is in its details.
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
  void add(const Failure& failure) {  // while it is being handled
    if (!first_)
      first_ = std::current_exception();
    else
      others_.emplace_back(failure.what());
  }

  std::exception_ptr first_;
  std::vector<std::string> others_;
};

}  // namespace onlink
