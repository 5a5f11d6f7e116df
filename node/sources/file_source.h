// SPDX-License-Identifier: Apache-2.0
// The nodes that the cluster file lists itself. The feed opens a new source for each version of the file (feed.h).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "node/sources/source.h"

namespace onlink::node {

class FileSource final : public Source {
 public:
  FileSource(std::string path, NodeList list)
      : path_(std::move(path)), list_(std::make_shared<const NodeList>(std::move(list))) {}

  int descriptor() const override { return -1; }
  bool read() override { return std::exchange(is_new_, false); }
  std::shared_ptr<const NodeList> list() const override { return list_; }
  void refresh() override {}
  std::string describe() const override { return "file " + path_; }

 private:
  std::string path_;
  std::shared_ptr<const NodeList> list_;
  bool is_new_ = true;
};

}  // namespace onlink::node
