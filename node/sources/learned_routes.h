// SPDX-License-Identifier: Apache-2.0
// What a routing daemon has learned, as a list of nodes: who says where a pod subnet is, what is believed,
// and how long what is said no more still counts. No kernel and no clock: time is told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netlink/route.h"
#include "node/sources/source.h"

namespace onlink::node {

class LearnedRoutes {
 public:
  struct Rules {
    std::uint32_t table = 0;  // for the words
    // Milliseconds for which a subnet is carried on after its route is gone: a daemon that is restarted
    // writes its table anew. For as long the table must have been followed before the list counts as
    // complete.
    std::int64_t hold = 0;
    bool allow_empty = false;  // a table without any usable route counts as complete
  };
  // known: the nodes of the cluster file, this one among them. They give next hops their names and modes; of
  // their pod subnets only this node's own count. Throws Failure where node_name is not among them.
  LearnedRoutes(Rules rules, std::vector<PlacedNode> known, std::string node_name);

  // What the table holds now. Times are milliseconds that never run backwards.
  void update(const std::vector<netlink::Route>& table, std::int64_t now);
  // Lets go what is due; a table without any usable route lets go nothing. True: the list is another.
  bool expire(std::int64_t now);
  // When expire() has something to do next; nothing: never, as things are.
  std::optional<std::int64_t> next_event() const;

  bool empty() const { return present_.empty(); }
  bool complete() const { return complete_; }
  // Subnets that are carried though their routes are gone.
  std::size_t held() const { return gone_.size(); }
  NodeList list() const;

 private:
  struct Gone {
    IpAddress gateway;
    std::int64_t until = 0;
  };
  // Subnets with their next hops, by first address; they do not overlap.
  using Carried = std::map<IpAddress, std::pair<IpPrefix, IpAddress>>;

  std::map<IpPrefix, IpAddress> usable(const std::vector<netlink::Route>& table);
  std::string objection(const IpPrefix& dst, const IpAddress& gateway,
                        const std::set<IpAddress>& addresses) const;
  void choose();
  bool carry(Carried& carried, const IpPrefix& dst, const IpAddress& gateway, bool complain);
  std::string held_words() const;
  std::string name_of(const IpAddress& address) const;

  Rules rules_;
  std::vector<PlacedNode> known_;
  std::string node_name_;
  Node self_;
  std::map<IpAddress, std::size_t> known_by_address_;
  std::map<IpPrefix, IpAddress> present_;
  std::map<IpPrefix, Gone> gone_;
  Carried carried_;
  std::vector<std::string> table_problems_;   // of single routes
  std::vector<std::string> choice_problems_;  // of routes beside others
  std::optional<std::int64_t> filled_;        // since when there is something in the table
  bool complete_ = false;
};

}  // namespace onlink::node
