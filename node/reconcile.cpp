// SPDX-License-Identifier: Apache-2.0
#include "node/reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <set>
#include <utility>

#include "base/add_once.h"
#include "base/failure.h"
#include "node/routes/obstacles.h"

namespace onlink::node {
namespace {

void append(ProblemList& list, const ProblemList& more) { list.insert(list.end(), more.begin(), more.end()); }

// Since when each path is as it is: the time stays while the way stays the same.
std::string path_times(const Desired& desired, std::string_view before) {
  const auto earlier = parse_paths(before);
  const std::int64_t now = std::time(nullptr);
  std::string lines;
  for (const PeerPath& path : desired.paths) {
    const std::string cidr = path.cidr.to_string();
    const std::string how = fmt::format("{}: {}", to_string(path.kind), path.why);
    const auto known = earlier.find(cidr);
    const bool same = known != earlier.end() && known->second.how == how;
    fmt::format_to(std::back_inserter(lines), "{} {} {}\n", cidr, same ? known->second.when : now, how);
  }
  return lines;
}

// Routes that stay although the list does not name their nodes stay usable.
nft::Ruleset rules_for(const Nodes& nodes, const Pass& pass) {
  return with_peers_of(pass.changes.held, pass.host, wanted_ruleset(nodes.cluster, pass.desired));
}

}  // namespace

Reconciler::Reconciler(Directories directories)
    : directories_(std::move(directories)), socket_(netlink::Socket::open()) {
  load();
}

// What an earlier process has seen counts more than what this one saw without it.
void Reconciler::load() {
  try {
    RunState found = load_run_state(directories_);
    if (found.before || !state_.before) state_ = std::move(found);
    unread_.clear();
  } catch (const Failure& failure) {
    unread_ = unsaved_ = failure.what();
  }
}

void Reconciler::look(const Nodes& nodes, Pass& pass, bool ipip_missing) {
  pass.host = read_host(socket_, nodes.cluster);
  compare(nodes, pass, ipip_missing);
}

void Reconciler::compare(const Nodes& nodes, Pass& pass, bool ipip_missing) {
  pass.host.ipip_missing = ipip_missing && !pass.host.tunnel;
  pass.desired = desired(nodes.cluster, pass.host);
  pass.changes = diff(pass.desired, pass.host, {state_.own_addresses, nodes.complete});
}

// What a pass cannot mend, in words.
void Reconciler::note(const Nodes& nodes, Pass& pass) {
  append(pass.problems, nodes.problems);
  append(pass.problems, pass.desired.problems);
  add_problems(pass.problems, "firewall", Subject::node, host_obstacles_);
  if (!unsaved_.empty()) pass.problems.push_back({"state-not-saved", Subject::node, unsaved_});
  for (const PeerPath& path : pass.desired.paths)
    if (!path.problem.empty())
      pass.problems.push_back({path.problem, path.is_elsewhere ? Subject::peer : Subject::node,
                               fmt::format("{} ({}): {}", path.peer, path.cidr.to_string(),
                                           path.kind == PathKind::none ? path.why : path.obstacle),
                               path.peer});
  for (const Conflict& conflict : pass.changes.conflicts) {
    const auto link = netlink::find_link(socket_, conflict.holder.link);
    pass.problems.push_back(
        {"route-held", Subject::node,
         fmt::format("route {} is held by {}: left alone", conflict.wanted.dst.to_string(),
                     netlink::to_string(conflict.holder, link ? link->name : ""))});
  }
  if (!pass.changes.held.empty())
    pass.problems.push_back({"routes-kept", Subject::list,
                             fmt::format("{} route(s) to nodes that the list does not name stay for now: {}",
                                         pass.changes.held.size(),
                                         nodes.cluster.peers.empty() ? "it names no other node at all"
                                                                     : "it is not known to be complete")});
}

void Reconciler::set_conflicts_apart(std::vector<netlink::Route>& routes, Pass& pass) {
  if (!routes.empty()) set_apart(pass.host, routes, find_holders(socket_, routes), pass.changes.conflicts);
}

Pass Reconciler::plan(const Nodes& nodes) {
  Pass pass;
  look(nodes, pass, state_.ipip_missing);
  set_conflicts_apart(pass.changes.add, pass);
  set_conflicts_apart(pass.changes.replace, pass);
  try {
    pass.rules = Firewall::difference(rules_for(nodes, pass), state_.ruleset);
  } catch (const Failure& failure) {
    if (failure.error() != EPERM) throw;
    pass.unseen.emplace_back(failure.what());
  }
  std::vector<netlink::Route> not_there = pass.changes.add;
  not_there.insert(not_there.end(), pass.changes.replace.begin(), pass.changes.replace.end());
  attempt(pass, [&] { look_around(nodes, pass, not_there); });
  note_obstacles(pass);
  note(nodes, pass);
  return pass;
}

// The rules about tunnel senders and their inner sources come before the devices on which packets could arrive. They are
// widened before routes change, and narrowed after.
Pass Reconciler::apply(const Nodes& nodes, bool thorough) {
  Pass pass;
  if (!unread_.empty()) load();
  if (thorough) firewall_.try_again();
  look(nodes, pass, state_.ipip_missing && !thorough);
  remember(pass);
  // Even if no tunnel is wanted now: a pod with this address would block it later.
  attempt(pass, [&] { publish_reserved(directories_, nodes.cluster.self); });
  attempt(pass, [&] { remove_replaced_vxlan(pass); });
  const bool creates = pass.changes.tunnel.create || pass.changes.vxlan.create;
  const bool narrows = creates || !pass.changes.replace.empty() || !pass.changes.remove.empty();
  nft::Ruleset rules = rules_for(nodes, pass);
  attempt(pass, [&] {
    if (narrows)
      load_rules(with_peers_of(pass.host.routes, pass.host, rules), pass);
    else
      load_rules(rules, pass);
  });
  add_problems(pass.problems, "change-failed", Subject::node,
               apply_basics(socket_, pass.changes, pass.host).failures);
  if (pass.changes.tunnel.create) make_tunnel(nodes, pass);
  if (pass.changes.vxlan.create) make_vxlan(nodes, pass);
  if (creates) rules = rules_for(nodes, pass);  // where there is a device, or still none
  set_conflicts_apart(pass.changes.replace, pass);
  Applied routes = apply_routes(socket_, pass.changes, pass.host);
  pass.route_messages = routes.messages;
  pass.refused = std::move(routes.refused);
  add_problems(pass.problems, "change-failed", Subject::node, routes.failures);
  add_problems(pass.problems, "change-failed", Subject::node,
               apply_removals(socket_, pass.changes, pass.host).failures);
  if (narrows) attempt(pass, [&] { load_rules(rules, pass); });
  attempt(pass, [&] { publish_mtu(directories_, pass.desired.pod_mtu); });
  if (thorough) attempt(pass, [&] { look_around(nodes, pass, {}); });
  note_obstacles(pass);
  note(nodes, pass);
  RunState state = state_;
  state.paths = path_times(pass.desired, state_.paths);
  std::erase_if(state.own_addresses, [&](const IpPrefix& address) {
    const auto& removed = pass.changes.tunnel.remove_addresses;
    return std::find(removed.begin(), removed.end(), address) != removed.end();
  });
  save(std::move(state));
  return pass;
}

// A failure of this step must not keep the pass from its routes.
void Reconciler::attempt(Pass& pass, const std::function<void()>& step) {
  try {
    step();
  } catch (const Failure& failure) {
    add_once(pass.problems, {"pass-failed", Subject::node, failure.what()});
  }
}

void Reconciler::look_around(const Nodes& nodes, Pass& pass, const std::vector<netlink::Route>& not_there) {
  host_obstacles_ = Firewall::obstacles(nodes.cluster, pass.desired, pass.host);
  std::set<IpPrefix> without_route;
  for (const netlink::Route& route : not_there) without_route.insert(route.dst);
  for (const Conflict& conflict : pass.changes.conflicts) without_route.insert(conflict.wanted.dst);
  obstacles_ = find_obstacles(socket_, nodes.cluster, pass.host, pass.desired, without_route);
}

void Reconciler::note_obstacles(Pass& pass) const {
  if (obstacles_.empty()) return;
  for (PeerPath& path : pass.desired.paths) {
    const auto found = obstacles_.find(path.cidr.network());
    if (!path.obstacle.empty() || found == obstacles_.end()) continue;
    path.obstacle = found->second;
    path.problem = "route-overridden";
  }
}

// One for another VNI or port goes before the rules change, which are about those of the new one.
void Reconciler::remove_replaced_vxlan(const Pass& pass) {
  if (pass.changes.vxlan.create && !pass.changes.vxlan.remove.empty())
    netlink::delete_link_if_any(socket_, *pass.host.vxlan);
}

// The device was just requested: now routes need its index; if it is still absent, their peers have no path.
void Reconciler::make_tunnel(const Nodes& nodes, Pass& pass) {
  read_tunnel(socket_, nodes.cluster.self.ipv4, pass.host);
  compare(nodes, pass, true);
  RunState state = state_;
  state.ipip_missing = !pass.host.tunnel;
  save(std::move(state));
}

// The same; now that the device has an index, what belongs on it follows.
void Reconciler::make_vxlan(const Nodes& nodes, Pass& pass) {
  VxlanChanges made = std::move(pass.changes.vxlan);
  read_vxlan(socket_, pass.host);
  pass.host.vxlan_missing = !pass.host.vxlan;
  compare(nodes, pass, pass.host.ipip_missing);
  if (!pass.host.vxlan) return;
  Changes rest;
  rest.vxlan = pass.changes.vxlan;
  pass.changes.vxlan.remove = std::move(made.remove);  // for the log
  pass.changes.vxlan.create = std::move(made.create);
  add_problems(pass.problems, "change-failed", Subject::node,
               apply_basics(socket_, rest, pass.host).failures);
}

void Reconciler::load_rules(const nft::Ruleset& rules, Pass& pass) {
  std::vector<std::string> problems;
  RunState state = state_;
  Firewall::Result result = firewall_.load(rules, state_.ruleset, problems);
  state.ruleset = std::move(result.loaded);
  pass.rules += result.commands;
  for (std::string& problem : problems)
    add_once(pass.problems, {"rules-failed", Subject::node, std::move(problem)});
  save(std::move(state));
}

// Saved before the first change, if possible: then even a process that is killed after it leaves the earlier state on
// record. A full disk is no reason to leave routes as they are.
void Reconciler::remember(const Pass& pass) {
  RunState state = state_;
  if (!state.before) state.before = node::remember(pass.host);
  if (const auto& added = pass.changes.tunnel.add_address) add_once(state.own_addresses, *added);
  for (const std::string& link : pass.changes.accept_ra) add_once(state.accept_ra, link);
  save(std::move(state));
}

void Reconciler::save(RunState state) {
  // Somebody may have emptied the folder.
  if (state == state_ && unsaved_.empty() && has_run_state(directories_)) return;
  state_ = std::move(state);
  if (unsaved_ = unread_; !unsaved_.empty()) return;
  try {
    save_run_state(directories_, state_);
    unsaved_.clear();
  } catch (const Failure& failure) {
    unsaved_ = failure.what();
  }
}

}  // namespace onlink::node
