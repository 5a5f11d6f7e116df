// SPDX-License-Identifier: Apache-2.0
// Rules and a list of nodes become a Cluster. One node of a list that contradicts the others, or makes no
// sense, must not stop the rest, and must not lose the route that it has: it stays as an earlier list had it,
// or is left out where none did. Either is named. Of two that contradict each other the younger is to blame (of two of
// one age the second by name), whichever this node knew first: all nodes decide alike.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/cluster/cluster_check.h"
#include "node/cluster/node_list.h"

namespace onlink::node {

class Merger {
 public:
  // before: what an earlier list came to, or null. It and the list must outlive the merger.
  Merger(const Rules& rules, const std::string& node_name, const Cluster* before);
  // An address that is in no pod subnet, and whose it is.
  void need(const IpAddress& address, std::string whose) { checks_.need(address, std::move(whose)); }

  // Throws Failure (configuration) where the list as a whole cannot be: it does not name this node and no
  // earlier one did, or the rules do not fit it.
  void add(const NodeList& list);
  // The peers of the earlier list that had pod subnets and have none now.
  std::set<std::string> gone() const;
  // Such a peer stays as it was, unless a node of the list has taken its place.
  void keep(const std::set<std::string>& names);
  // Whether the list names this node, and whether it names any other.
  bool names_self() const { return names_self_; }
  bool names_others() const { return names_others_; }
  // The list is not to be believed as to what it lacks: nothing is withdrawn for it.
  void distrust(std::string problem) {
    result_.complete = false;
    note(std::move(problem));
  }
  // A problem for people that concerns the list as a whole.
  void note(std::string problem) {
    result_.problems.push_back({"list-doubted", Subject::list, std::move(problem)});
  }
  Nodes finish();

 private:
  // The same node with what an earlier list knew in place of what this one does not.
  const PlacedNode& resolve(const PlacedNode& placed);
  void resolve_addresses(PlacedNode& placed, const Node* was);
  // What is wrong with a peer that is not taken.
  Problems take(const PlacedNode& placed);
  void take_self(const PlacedNode* self);
  void take_peers(const std::vector<const PlacedNode*>& peers);
  void note_rivals(const PlacedNode& self, const std::vector<const PlacedNode*>& peers);
  // What is wrong with the entry of a node, which may be this one.
  void note_entry(const std::string& name, std::string text) {
    const bool own = name == node_name_;
    result_.problems.push_back(
        {"node-entry", own ? Subject::node : Subject::peer, std::move(text), own ? "" : name});
  }
  bool fall_back(const std::string& name);
  void accept(const PlacedNode& placed);

  std::string node_name_;
  NodeChecks checks_;
  std::deque<PlacedNode> resolved_;                // deque: they are pointed at
  std::map<std::string, PlacedNode> before_;       // this node among them
  std::set<std::string> routed_;                   // peers that have pod subnets now
  std::map<std::string, const PlacedNode*> bare_;  // those that had some and now have none
  bool in_order_ = false;                          // as the list has them
  bool names_self_ = false;
  bool names_others_ = false;
  Problems unfit_;  // of the rules beside the list
  Nodes result_;
};

}  // namespace onlink::node
