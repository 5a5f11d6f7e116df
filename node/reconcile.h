// SPDX-License-Identifier: Apache-2.0
// One pass: look at the host, work out what should be, change what differs. Knows no source of nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "netlink/socket.h"
#include "node/cluster/cluster.h"
#include "node/routes/apply.h"
#include "node/routes/desired.h"
#include "node/routes/diff.h"
#include "node/routes/host.h"
#include "node/rules/firewall.h"
#include "node/state.h"

namespace onlink::node {

// What a pass found and did.
struct Pass {
  Host host;  // before the routes were changed
  Desired desired;
  Changes changes;
  std::string rules;  // nftables commands that were, or would be, run
  std::size_t route_messages = 0;
  std::vector<IpPrefix> refused;    // destinations whose routes could not be made
  ProblemList problems;             // everything that is not as it should be
  std::vector<std::string> unseen;  // what a plan could not look at for lack of privileges

  bool in_order() const { return !concerns_node(problems); }
  bool changed() const { return !changes.empty() || !rules.empty(); }
};

class Reconciler {
 public:
  // Opens its netlink socket in the caller's network namespace.
  explicit Reconciler(Directories directories);

  // Looks, and changes nothing.
  Pass plan(const Nodes& nodes);
  // Looks and changes. Every failure is in the result; throws only if the kernel does not answer at all.
  // thorough: also looks for others' rules and routes in the way of ours, and tries to make the tunnel and the rules
  // even if the kernel had no ipip before, or refused some. Other passes use what the last thorough one found.
  Pass apply(const Nodes& nodes, bool thorough = true);

  const RunState& state() const { return state_; }
  netlink::Socket& socket() { return socket_; }

 private:
  void look(const Nodes& nodes, Pass& pass, bool ipip_missing);
  void compare(const Nodes& nodes, Pass& pass, bool ipip_missing);
  void remove_replaced_vxlan(const Pass& pass);
  void make_tunnel(const Nodes& nodes, Pass& pass);
  void make_vxlan(const Nodes& nodes, Pass& pass);
  void set_conflicts_apart(std::vector<netlink::Route>& routes, Pass& pass);
  void note(const Nodes& nodes, Pass& pass);
  static void attempt(Pass& pass, const std::function<void()>& step);
  void look_around(const Nodes& nodes, Pass& pass, const std::vector<netlink::Route>& not_there);
  void note_obstacles(Pass& pass) const;
  void remember(const Pass& pass);
  void load_rules(const nft::Ruleset& rules, Pass& pass);
  void load();
  void save(RunState state);

  Directories directories_;
  netlink::Socket socket_;
  Firewall firewall_;
  RunState state_;
  std::string unread_;                         // why what is on disk is not known
  std::string unsaved_;                        // why the state is not on disk
  std::vector<std::string> host_obstacles_;    // from the last thorough look
  std::map<IpPrefix, std::string> obstacles_;  // the same, by pod subnet
};

}  // namespace onlink::node
