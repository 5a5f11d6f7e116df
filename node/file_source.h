// SPDX-License-Identifier: Apache-2.0
// The list of nodes from the cluster file, followed as it is replaced, written, or switched by a symbolic
// link (as Kubernetes does with a ConfigMap).
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "node/source.h"

namespace onlink::node {

// Throws Failure where the file is not there or not in order. allow_empty: a list without peers counts as
// complete.
Nodes read_cluster_file(const std::string& path, const std::string& node_name, bool allow_empty);

class FileSource final : public Source {
 public:
  // The folder of the file must exist. Throws Failure.
  FileSource(std::string path, std::string node_name, bool allow_empty);

  int descriptor() const override { return inotify_.get(); }
  std::optional<Nodes> read() override;
  void refresh() override { fresh_ = false; }
  std::string describe() const override { return "file " + path_; }

 private:
  std::string path_;
  std::string node_name_;
  bool allow_empty_;
  bool fresh_ = false;  // what is in the file now has been handed over, or refused
  UniqueFd inotify_;
};

}  // namespace onlink::node
