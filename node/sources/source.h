// SPDX-License-Identifier: Apache-2.0
// Where the list of nodes comes from. The reconciler does not know which source is running; the rules for all
// nodes come from the cluster file whatever the source.
#pragma once

#include <cstdint>
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
  bool allow_empty = false;  // a file without peers counts as complete
  Directories directories;
  std::uint64_t reading = 1;  // of the file (NodeList)
};

// What a source may tell others of this node after a pass.
struct Readiness {
  std::vector<IpPrefix> pod_cidrs;    // of this node
  std::vector<std::string> problems;  // of this node as a whole, each in a sentence; empty: it carries pods
};

class Source {
 public:
  virtual ~Source() = default;

  // Readable (poll(2), epoll(7) descriptors included) when read() may have news; the same for its life. -1
  // where there never are any after the first.
  virtual int descriptor() const = 0;
  // The next list, or nothing where there is no news. Does not wait. Throws Failure for a list that cannot be
  // used: whoever follows the source keeps the last good one, and hears of it again only when there is news
  // again.
  virtual std::optional<NodeList> read() = 0;
  // Read from scratch, though nothing has changed (SIGHUP, or a list that seems wrong).
  virtual void refresh() = 0;
  // "file /etc/onlink/cluster.json", for people.
  virtual std::string describe() const = 0;
  // What keeps it from knowing the newest list, in a sentence; empty: nothing does.
  virtual std::string problem() const { return {}; }
  // Where the list comes from, for a source that is reached over the network and has been: no route to pods may lead
  // away from there.
  virtual std::optional<IpAddress> address() const { return std::nullopt; }
  // Whether a list that is not complete will be within moments, so that it is worth waiting for.
  virtual bool prompt() const { return true; }
  // What else is not as it should be.
  virtual ProblemList problems() const { return {}; }
  // A pass was made with a list of this source: for what may happen only on a node that is ready. Does not
  // wait and does not throw; what fails is in problems().
  virtual void passed(const Readiness& readiness) { (void)readiness; }
};

}  // namespace onlink::node
