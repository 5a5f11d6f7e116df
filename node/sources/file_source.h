// SPDX-License-Identifier: Apache-2.0
// The nodes that the cluster file lists itself. The feed opens a new source for each version of the file (feed.h).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "node/sources/source.h"

namespace onlink::node {

class FileSource final : public Source {
 public:
  FileSource(std::string path, NodeList list) : path_(std::move(path)), list_(std::move(list)) {}

  int descriptor() const override { return -1; }
  std::optional<NodeList> read() override { return std::exchange(list_, std::nullopt); }
  void refresh() override {}
  std::string describe() const override { return "file " + path_; }

 private:
  std::string path_;
  std::optional<NodeList> list_;
};

}  // namespace onlink::node
