// SPDX-License-Identifier: Apache-2.0
// A file that is replaced, written, or switched by a symbolic link anywhere on the way to it: a link into another
// folder, a folder that is replaced, a Kubernetes ConfigMap (..data).
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/unique_fd.h"

namespace onlink {

class FileWatch {
 public:
  // The folder of the file must exist; later it may go and come back. Throws Failure. Where all that the kernel lets
  // this user watch is used up, problem() says so, and nothing more is told until renew() finds room.
  explicit FileWatch(std::string path);

  // -1 while nothing can be watched; renew() may give it one.
  int descriptor() const { return inotify_.get(); }
  // Which limit of the kernel is used up, and what mends it; empty: none.
  const std::string& problem() const { return problem_; }
  // Whether the file may be another since the last call; true the first time. What else happens in its folders is not
  // told. Nor is what inotify does not see: something mounted over a folder, a change made by another host. Whoever
  // must know of that reads the file every now and then, and calls renew() before.
  bool changed();
  // Follows the way to the file as it is now.
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
  // By watch descriptor, what concerns us in that folder; no names: the file itself.
  std::map<int, Names> watched_;
};

}  // namespace onlink
