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

  // One failure as it was thrown, several as one: the first one's kind, everybody's words.
  void throw_if_any() const {
    if (texts_.empty()) return;
    if (texts_.size() == 1) std::rethrow_exception(first_);
    std::string all;
    for (const std::string& text : texts_) all.append(all.empty() ? "" : "; ").append(text);
    try {
      std::rethrow_exception(first_);
    } catch (const Failure& failure) {
      throw Failure(failure.kind(), all, failure.error());
    }
  }

 private:
  void add(const Failure& failure) {  // while it is being handled
    if (!first_) first_ = std::current_exception();
    texts_.emplace_back(failure.what());
  }

  std::exception_ptr first_;
  std::vector<std::string> texts_;
};

}  // namespace onlink
