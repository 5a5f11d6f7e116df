// SPDX-License-Identifier: Apache-2.0
// Where the list of nodes comes from. The reconciler does not know which source is in use; the rules for all nodes
// always come from the cluster file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "node/cluster/node_list.h"
#include "node/directories.h"

namespace onlink::node {

// What a source is opened with.
struct SourceContext {
  std::string path;  // of the cluster file
  std::string node_name;
  bool allow_empty = false;  // a list without peers counts as complete
  Directories directories;
  std::uint64_t reading = 1;         // of the file (NodeList)
  const Cluster* earlier = nullptr;  // the last list; null: none. Only while the source is opened
};

// What a source may tell others about this node after a pass.
struct Readiness {
  std::vector<IpPrefix> pod_cidrs;    // of this node
  std::vector<std::string> problems;  // of this node as a whole, each in a sentence; empty: it carries pods
};

class Source {
 public:
  virtual ~Source() = default;

  // Readable when read() may have news (it may be an epoll(7) descriptor); never changes. -1: there is no news after
  // the first list.
  virtual int descriptor() const = 0;
  // Whether list() is there for the first time, or has changed. Does not wait. Throws Failure for an unusable list:
  // list() stays as it was, and the Failure comes only once for each news.
  virtual bool read() = 0;
  // The last good list. Only after read() was true once. With 100,000 nodes it has 30 MB: nobody keeps it.
  virtual std::shared_ptr<const NodeList> list() const = 0;
  // Reads from scratch even if nothing has changed (SIGHUP, or a list that seems wrong).
  virtual void refresh() = 0;
  // "file /etc/onlink/cluster.json", for people.
  virtual std::string describe() const = 0;
  // What keeps it from knowing the newest list, in a sentence; empty: nothing does.
  virtual std::string problem() const { return {}; }
  // The server of a source that was reached over the network: no pod subnet may contain it.
  virtual std::optional<IpAddress> address() const { return std::nullopt; }
  // Whether an incomplete list will soon be complete, so that waiting makes sense.
  virtual bool prompt() const { return true; }
  // What else is not as it should be.
  virtual ProblemList problems() const { return {}; }
  // Called after each pass with a list of this source, for what may happen only on a ready node. Does not wait or
  // throw; failures are in problems().
  virtual void passed(const Readiness& readiness) { (void)readiness; }
};

}  // namespace onlink::node
