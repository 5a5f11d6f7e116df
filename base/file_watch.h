// SPDX-License-Identifier: Apache-2.0
// Watches a file that is written, replaced, or switched by a symbolic link anywhere on its path: a link into another
// folder, a replaced folder, a Kubernetes ConfigMap (..data).
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/unique_fd.h"

namespace onlink {

class FileWatch {
 public:
  // The file's folder must exist; later it may go and come back. Throws Failure. Where this user's inotify limits are
  // used up, problem() says so, and changes are not reported until renew() finds room.
  explicit FileWatch(std::string path);

  // -1 while nothing can be watched; renew() may open one.
  int descriptor() const { return inotify_.get(); }
  // Which kernel limit is used up, and how to raise it; empty: none.
  const std::string& problem() const { return problem_; }
  // Whether the file may have changed since the last call; true the first time. Other changes in its folders are not
  // reported. Nor is what inotify does not see: a mount over a folder, a change made by another host. A caller that
  // must notice those reads the file periodically, after renew().
  bool changed();
  // Watches the path to the file as it is now.
  void renew();

 private:
  using Names = std::set<std::string>;
  void open();
  void follow(const std::string& path, int links);
  int watch(const std::string& path);

  std::string path_;
  bool first_ = true;
  std::string problem_;
  UniqueFd inotify_;
  // By watch descriptor: the names that concern us in that folder; no names: the file itself.
  std::map<int, Names> watched_;
};

}  // namespace onlink
