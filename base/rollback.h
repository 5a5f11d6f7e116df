// SPDX-License-Identifier: Apache-2.0
// The undo stack of an operation that must be complete or leave nothing.
//
//   Rollback undo;
//   create_thing();
//   undo.add("delete the thing", [&] { delete_thing(); });   // right after the effect
//   ...
//   undo.commit();                                            // everything stays
//
// Without commit(), the destructor runs what was added, in reverse. An undo step that fails does not stop the
// others and never throws; its failure goes to the reporter.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace onlink {

class Rollback {
 public:
  using Reporter = std::function<void(const std::string& message)>;

  explicit Rollback(Reporter report = {}) : report_(std::move(report)) {}
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback();

  void add(std::string what, std::function<void()> undo);
  void commit() noexcept { steps_.clear(); }

 private:
  struct Step {
    std::string what;
    std::function<void()> undo;
  };
  std::vector<Step> steps_;
  Reporter report_;
};

}  // namespace onlink
