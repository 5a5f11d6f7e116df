// SPDX-License-Identifier: Apache-2.0
// The cluster as this node should see it now: the rules of the cluster file together with the nodes of the source
// that it names. It watches both. As long as the source has no list, it uses the last good list from disk.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_watch.h"
#include "base/wait.h"
#include "node/cluster/cluster_file.h"
#include "node/cluster/merge.h"
#include "node/cluster/withdraw_guard.h"
#include "node/sources/open_source.h"
#include "node/sources/source.h"

namespace onlink::node {

// The file, as far as it suits this host: throws Failure, too, if interfaces that are no host ends of pods have names
// that begin with podInterfacePrefix. In the caller's network namespace.
ClusterFile read_file_for_host(const std::string& path, const std::string& node_name);

class Feed {
 public:
  // context.reading is not used. The folder of the file must exist. Throws Failure.
  explicit Feed(SourceContext context);

  // Readable when read() may have news.
  int descriptor() const { return descriptors_.descriptor(); }
  // True: nodes() has changed. Does not wait. If something is wrong, problem() says so and nodes() stays as it was.
  bool read();
  // The result of read(); null: nothing yet.
  const Nodes* nodes() const { return given_ ? &*nodes_ : nullptr; }
  // Reads everything from scratch.
  void refresh();
  std::string describe() const;
  // What keeps it from knowing the newest list; empty: nothing does.
  std::string problem() const;
  // Whether a list that is not complete is worth waiting for.
  bool prompt() const { return !source_ || source_->prompt(); }
  ProblemList problems() const;
  void passed(const Readiness& readiness);

 private:
  void watch_file();
  void read_file(bool afresh);
  void read_file_again();
  void take_file(ClusterFile file, bool afresh);
  void read_source();
  // What nodes() gave last; before that, the last good list.
  const Cluster* earlier() const { return nodes_ ? &nodes_->cluster : nullptr; }
  Merger new_merger() const;
  std::optional<Nodes> put_together();
  std::optional<Nodes> use_earlier();
  std::string distrust(const NodeList& list, const Merger& merger) const;
  void hold(const NodeList& list, Merger& merger);

  SourceContext context_;
  Descriptors descriptors_;
  Timer timer_;       // for the second reading that the guard asks for
  Timer file_timer_;  // for changes of the file that inotify misses
  FileWatch file_watch_;
  std::optional<ClusterFile> file_;
  std::unique_ptr<Source> source_;
  bool listed_ = false;         // the source has a list
  std::optional<Nodes> nodes_;  // at first the last good list, which is not given out as it is
  std::string no_earlier_;      // why there is no last good list
  WithdrawGuard guard_;
  bool due_ = false;  // something has changed
  bool given_ = false;
  bool failed_ = false;  // to put the list together: the kernel may answer next time
  std::string file_problem_;
  std::string list_problem_;
};

}  // namespace onlink::node
