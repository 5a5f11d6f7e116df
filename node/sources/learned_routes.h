// SPDX-License-Identifier: Apache-2.0
// What a routing daemon has learned, as a list of nodes: which routes are believed, and how long a subnet counts after
// its route is gone. Uses no kernel and no clock: the caller gives the time.
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
    std::uint32_t table = 0;  // for messages
    // Milliseconds for which a subnet stays after its route is gone: a restarted daemon writes its table again. The
    // list counts as complete once the table has had routes for as long.
    std::int64_t hold = 0;
    bool allow_empty = false;             // a table without any usable route counts as complete
    std::vector<IpPrefix> prefixes = {};  // only what lies in one of them is believed; none: everything
  };
  // known: the nodes of the cluster file, including this one. They give next hops their names and modes; of their pod
  // subnets only this node's count. earlier: the other nodes of the last list, which an earlier process or reading of
  // the file has left. Its subnets count as what was in the table until now, so nobody gets another's range, and nobody
  // loses the hold time, because this one begins. Throws Failure if node_name is not among the known ones.
  LearnedRoutes(Rules rules, std::vector<PlacedNode> known, std::string node_name,
                const std::vector<Node>& earlier = {});

  // What the table holds now. Times are milliseconds that never run backwards. True: the list has changed.
  bool update(const std::vector<netlink::Route>& table, std::int64_t now);
  // Drops subnets whose time is over, but none while the table has no usable route. True: the list has changed.
  bool expire(std::int64_t now);
  // When expire() next has something to do; nothing: not without another update().
  std::optional<std::int64_t> next_event() const;

  bool empty() const { return present_.empty(); }
  bool complete() const { return complete_; }
  // How many subnets stay although their routes are gone.
  std::size_t held() const { return gone_.size(); }
  NodeList list() const;

 private:
  struct Gone {
    IpAddress gateway;
    std::int64_t until = 0;
  };
  // Subnets with their next hops, by first address; they do not overlap.
  using Carried = std::map<IpAddress, std::pair<IpPrefix, IpAddress>>;

  void begin_with(const std::vector<Node>& earlier);
  std::map<IpPrefix, IpAddress> usable(const std::vector<netlink::Route>& table);
  std::string objection(const IpPrefix& dst, const IpAddress& gateway,
                        const std::set<IpAddress>& addresses) const;
  void choose();
  const std::pair<const IpPrefix, Gone>* gone_of_another(const IpPrefix& dst, const IpAddress& gateway) const;
  void refuse_part(const IpPrefix& dst, const IpAddress& gateway, const IpPrefix& others,
                   const IpAddress& owner);
  bool carry(Carried& carried, const IpPrefix& dst, const IpAddress& gateway, bool complain);
  std::string held_words() const;
  std::string name_of(const IpAddress& address) const;

  Rules rules_;
  std::vector<PlacedNode> known_;
  std::string node_name_;
  Node self_;
  std::map<IpAddress, std::size_t> known_by_address_;
  std::map<IpPrefix, IpAddress> present_;  // at first what an earlier list had
  std::map<IpPrefix, Gone> gone_;          // of what was carried
  Carried carried_;
  std::vector<std::string> table_problems_;   // of single routes
  std::vector<std::string> choice_problems_;  // of routes that overlap others
  std::optional<std::int64_t> filled_;        // when the table first had a usable route
  bool complete_ = false;
};

}  // namespace onlink::node
