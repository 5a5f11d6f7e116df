// SPDX-License-Identifier: Apache-2.0
// Rules and a list of nodes become a Cluster. A node of a list that contradicts the others, or makes no sense, must
// not stop the rest, nor lose its route: it stays as an earlier list had it, or is left out if none did. Either way
// there is a problem that names it. Of two that contradict each other the younger is to blame (if they are of one age,
// the second by name), whichever this node knew first: all nodes decide alike.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "node/cluster/cluster_check.h"
#include "node/cluster/node_list.h"

namespace onlink::node {

class Merger {
 public:
  // before: the result of an earlier list, or null. It and the list must outlive the merger.
  Merger(const Rules& rules, const std::string& node_name, const Cluster* before);
  // No pod subnet may contain this address, where the list comes from. whose: for messages.
  void need(const IpAddress& address, const std::string& whose) {
    for (NodeChecks* checks : {&checks_, &everywhere_})
      checks->need(IpPrefix::host(address), "the address of " + whose);
  }
  // The addresses of this host. No pod subnet of a peer may reach into the network that this node's own address is in,
  // however old the peer is: the other nodes are there.
  void set_networks(std::vector<IpPrefix> networks) { networks_ = std::move(networks); }

  // Throws Failure (configuration) if the whole list is unusable: it does not name this node and no earlier one did,
  // or the rules do not fit it.
  void add(const NodeList& list);
  // The peers that had pod subnets in the earlier list and have none now.
  std::set<std::string> gone() const;
  // Such peers stay as they were, unless a node of the list has their subnets or addresses now.
  void keep(const std::set<std::string>& names);
  // Whether the list names this node, and whether it names any other with pod subnets.
  bool names_self() const { return names_self_; }
  bool names_others() const { return names_others_; }
  // What the list lacks is not believed: nothing is withdrawn.
  void distrust(std::string problem) {
    result_.complete = false;
    note(std::move(problem));
  }
  // A problem of the list as a whole.
  void note(std::string problem) {
    result_.problems.push_back({"list-doubted", Subject::list, std::move(problem)});
  }
  Nodes finish();

 private:
  // The same node, with the earlier list's values where this list does not know.
  const PlacedNode& resolve(const PlacedNode& placed);
  void resolve_addresses(PlacedNode& placed, const Node* was);
  // Takes a peer; returns what is wrong with one that is not taken.
  Problems take(const PlacedNode& placed);
  void take_self(const PlacedNode* self);
  void need_own_networks();
  void judge(const std::vector<const PlacedNode*>& nodes);
  void judge_self(const PlacedNode& self);
  // Notes what is wrong with the entry of a node, which may be this one.
  void note_entry(const std::string& name, std::string text) {
    const bool own = name == node_name_;
    result_.problems.push_back(
        {"node-entry", own ? Subject::node : Subject::peer, std::move(text), own ? "" : name});
  }
  // The entry of an earlier list; null: there is none.
  const PlacedNode* earlier(const std::string& name);
  bool fall_back(const std::string& name);
  void accept(const PlacedNode& placed);

  std::string node_name_;
  NodeChecks checks_;  // this node first, which keeps what it has
  // As every other node sees it: this node in its place, too. Who loses there loses here, that all decide alike.
  NodeChecks everywhere_;
  std::vector<IpPrefix> networks_;
  std::deque<PlacedNode> made_;  // besides those of the list; deque: others point at them
  std::unordered_map<std::string_view, const Node*> before_;  // this node among them
  std::unordered_set<std::string_view> routed_;               // peers that have pod subnets now
  std::map<std::string, const PlacedNode*> bare_;             // peers that had pod subnets and now have none
  bool in_order_ = false;                                     // the peers keep the order of the list
  bool names_self_ = false;
  bool names_others_ = false;
  Problems unfit_;  // where rules and list do not fit
  Nodes result_;
};

}  // namespace onlink::node
