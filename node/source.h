// SPDX-License-Identifier: Apache-2.0
// Where the list of nodes comes from. The reconciler does not know which source is running.
#pragma once

#include <optional>
#include <string>

#include "node/reconcile.h"

namespace onlink::node {

class Source {
 public:
  virtual ~Source() = default;

  // Readable (poll(2), epoll(7) descriptors included) when read() may have news.
  virtual int descriptor() const = 0;
  // The next complete list, or nothing where there is no news. Does not wait. Throws Failure for a list that
  // cannot be used: whoever follows the source keeps the last good one, and hears of it again only when there
  // is news again.
  virtual std::optional<Nodes> read() = 0;
  // The same, though nothing has changed (SIGHUP).
  virtual void refresh() = 0;
  // "file /etc/onlink/cluster.json", for people.
  virtual std::string describe() const = 0;
};

}  // namespace onlink::node
