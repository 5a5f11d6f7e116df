// SPDX-License-Identifier: Apache-2.0
// A file that is replaced, written, or switched by a symbolic link (as Kubernetes does with a ConfigMap).
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace onlink {

class FileWatch {
 public:
  // The folder of the file must exist. Throws Failure.
  explicit FileWatch(const std::string& path);

  int descriptor() const { return inotify_.get(); }
  // Whether the file may be another since the last call; true the first time.
  bool changed();

 private:
  bool first_ = true;
  UniqueFd inotify_;
};

}  // namespace onlink
