// SPDX-License-Identifier: Apache-2.0
#include "base/rollback.h"

#include <exception>
#include <utility>

namespace onlink {

void Rollback::add(std::string what, std::function<void()> undo) {
  steps_.push_back({std::move(what), std::move(undo)});
}

Rollback::~Rollback() {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    try {
      step->undo();
    } catch (const std::exception& failure) {
      if (report_) report_("could not " + step->what + ": " + failure.what());
    }
  }
}

}  // namespace onlink
