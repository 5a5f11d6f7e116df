// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "node/cluster/cluster_file.h"

namespace onlink::node {
namespace {

bool has_address(const Node& node) { return node.ipv4 || node.ipv6; }
bool is_completed(const Node& from, const Node& to) {
  return from.ipv4 != to.ipv4 || from.ipv6 != to.ipv6 || from.pod_cidrs.size() < to.pod_cidrs.size();
}

// Of a family of which it has pod subnets.
bool lacks_address(const Node& node, bool v4) {
  return !(v4 ? node.ipv4 : node.ipv6) &&
         std::any_of(node.pod_cidrs.begin(), node.pod_cidrs.end(),
                     [&](const IpPrefix& cidr) { return cidr.address.is_v4() == v4; });
}

bool is_older(const PlacedNode* one, const PlacedNode* other) {
  // A node of unknown age counts as the younger.
  const auto age = [](const PlacedNode* placed) { return std::tie(placed->created, placed->node.name); };
  return (one->created == 0) != (other->created == 0) ? other->created == 0 : age(one) < age(other);
}

}  // namespace

Merger::Merger(const Rules& rules, const std::string& node_name, const Cluster* before)
    : node_name_(node_name), checks_(node_name, rules), everywhere_(node_name, rules) {
  static_cast<Rules&>(result_.cluster) = rules;
  if (before == nullptr) return;
  before_.reserve(before->peers.size() + 1);
  before_.emplace(before->self.name, &before->self);
  for (const Node& peer : before->peers) before_.emplace(peer.name, &peer);
}

void Merger::add(const NodeList& list) {
  result_.complete = list.complete;
  result_.problems = list.problems;
  in_order_ = list.checked;
  for (const PlacedNode& placed : list.nodes)
    if (placed.node.name == node_name_)
      names_self_ = true;
    else if (!placed.node.pod_cidrs.empty() || placed.unknown.pod_cidrs)
      names_others_ = true;
  if (list.checked) {
    result_.cluster = assemble(result_.cluster, list.nodes, node_name_);
    for (const PlacedNode& placed : list.nodes) {
      checks_.take(placed);
      if (!placed.node.pod_cidrs.empty()) routed_.insert(placed.node.name);
    }
    return;
  }
  // Nodes that an earlier list had to complete come last.
  std::vector<const PlacedNode*> nodes, completed;
  const PlacedNode* self = nullptr;
  for (const PlacedNode& from : list.nodes) {
    const PlacedNode& placed = resolve(from);
    if (placed.node.name == node_name_) self = &placed;
    (is_completed(from.node, placed.node) ? completed : nodes).push_back(&placed);
  }
  take_self(self);
  need_own_networks();
  std::sort(nodes.begin(), nodes.end(), is_older);
  std::sort(completed.begin(), completed.end(), is_older);
  everywhere_.know(nodes);  // the list's addresses, which all know
  nodes.insert(nodes.end(), completed.begin(), completed.end());
  judge(nodes);
  check_tunnel_address(result_.cluster, unfit_);
  unfit_.throw_if_any("the nodes do not fit the rules");
}

const PlacedNode& Merger::resolve(const PlacedNode& from) {
  const auto& unknown = from.unknown;
  if (!unknown.pod_cidrs && !unknown.mode && !unknown.tunnel_address && !lacks_address(from.node, true) &&
      !lacks_address(from.node, false))
    return from;
  PlacedNode& placed = made_.emplace_back(from);
  const auto earlier = before_.find(from.node.name);
  const Node* was = earlier == before_.end() ? nullptr : earlier->second;
  if (was != nullptr && from.unknown.pod_cidrs) placed.node.pod_cidrs = was->pod_cidrs;
  if (was != nullptr && from.unknown.mode) {
    placed.node.mode = was->mode;
    placed.node.encapsulation = was->encapsulation;
  }
  if (was != nullptr && from.unknown.tunnel_address) placed.node.tunnel_address = was->tunnel_address;
  resolve_addresses(placed, was);
  return placed;
}

// For a family with pod subnets but without an address: the earlier address, else the subnets are left out.
void Merger::resolve_addresses(PlacedNode& placed, const Node* was) {
  Node& node = placed.node;
  for (const bool v4 : {true, false}) {
    if (!lacks_address(node, v4)) continue;
    auto& address = v4 ? node.ipv4 : node.ipv6;
    const char* family = v4 ? "IPv4" : "IPv6";
    if (const auto earlier = was == nullptr ? std::nullopt : (v4 ? was->ipv4 : was->ipv6);
        placed.unknown.addresses && earlier) {
      address = earlier;
      note_entry(node.name, fmt::format("{} no longer has an {} address; {} stays in use", placed.path,
                                        family, earlier->to_string()));
    } else if ((v4 ? node.ipv6 : node.ipv4) && !tunnels_any_family(result_.cluster)) {
      std::erase_if(node.pod_cidrs, [&](const IpPrefix& cidr) { return cidr.address.is_v4() == v4; });
      note_entry(node.name, fmt::format("{} has no {} address: its {} pod subnets are left out", placed.path,
                                        family, family));
    }
  }
}

void Merger::take_self(const PlacedNode* self) {
  const PlacedNode* was = earlier(node_name_);
  Problems problems;
  if (self == nullptr) {
    problems.add("nodes", fmt::format("this node, \"{}\", is not among them", node_name_));
  } else {
    if (has_address(self->node))
      checks_.check(*self, problems);
    else
      problems.add(self->path, "has no address");
    // A Node that was deleted and registered again has none for a while; its pods are still there.
    if (self->node.pod_cidrs.empty() && was != nullptr && !was->node.pod_cidrs.empty())
      problems.add(self->path, "has no pod subnets any more");
    if (problems.empty()) {
      checks_.take(*self);
      result_.cluster.self = self->node;
      return;
    }
  }
  if (was == nullptr) {
    problems.throw_if_any("the list of nodes");
    return;
  }
  const bool named = self != nullptr;
  for (const std::string& problem : problems.list())
    result_.problems.push_back({named ? "node-entry" : "list-doubted", named ? Subject::node : Subject::list,
                                problem + "; this node keeps its earlier entry"});
  checks_.take(*was);
  result_.cluster.self = was->node;
}

void Merger::need_own_networks() {
  for (const IpPrefix& network : networks_)
    if (!network.is_host() &&
        (network.address == result_.cluster.self.ipv4 || network.address == result_.cluster.self.ipv6))
      for (NodeChecks* checks : {&checks_, &everywhere_})
        checks->need(network.network(), "the network of this node", true);
}

// In the order of their age.
void Merger::judge(const std::vector<const PlacedNode*>& nodes) {
  std::vector<std::pair<const PlacedNode*, Problems>> wrong;
  for (const PlacedNode* placed : nodes)
    if (placed->node.name == node_name_)
      judge_self(*placed);
    else if (Problems problems = take(*placed); !problems.empty())
      wrong.emplace_back(placed, std::move(problems));
  // After all that are right: an old entry must not take anything from a current one.
  for (const auto& [peer, problems] : wrong) {
    const char* outcome = fall_back(peer->node.name) ? "its earlier entry stays in use" : "it is left out";
    for (const std::string& problem : problems.list())
      note_entry(peer->node.name, fmt::format("{}; {}", problem, outcome));
  }
}

// This node keeps its own subnets and addresses: its pods are here. But the other nodes believe the older node.
void Merger::judge_self(const PlacedNode& self) {
  if (!has_address(self.node)) return;
  Problems problems;
  everywhere_.check(self, problems);
  if (problems.empty()) everywhere_.take(self);
  for (const std::string& problem : problems.list())
    note_entry(node_name_, problem + "; the other nodes refuse this node's entry");
}

Problems Merger::take(const PlacedNode& placed) {
  const Node& node = placed.node;
  if (!has_address(node) && node.pod_cidrs.empty()) return {};  // just registered: nothing to reach yet
  Problems problems;
  if (has_address(node))
    everywhere_.check(placed, problems);
  else
    problems.add(placed.path, "has no address");
  if (problems.empty()) {
    everywhere_.take(placed);
    checks_.check(placed, problems);
  }
  const auto earlier = before_.find(node.name);
  if (node.pod_cidrs.empty() && earlier != before_.end() && !earlier->second->pod_cidrs.empty()) {
    bare_[node.name] = &placed;
    return {};
  }
  Problems mode;
  check_mode(result_.cluster, placed, mode);
  // If this node has IPv6 pod subnets itself, the rules are wrong.
  const auto& own = result_.cluster.self.pod_cidrs;
  const bool by_rules =
      !node.mode && !result_.cluster.self.mode &&
      std::any_of(own.begin(), own.end(), [](const IpPrefix& cidr) { return !cidr.address.is_v4(); });
  for (const std::string& problem : mode.list()) (by_rules ? unfit_ : problems).add(problem);
  if (problems.empty()) accept(placed);
  return problems;
}

const PlacedNode* Merger::earlier(const std::string& name) {
  const auto found = before_.find(name);
  return found == before_.end() ? nullptr
                                : &made_.emplace_back(PlacedNode{"the last good " + name, *found->second});
}

bool Merger::fall_back(const std::string& name) {
  const PlacedNode* was = earlier(name);
  if (was == nullptr) return false;
  Problems problems;
  checks_.check(*was, problems);
  check_mode(result_.cluster, *was, problems);
  if (!problems.empty()) return false;
  accept(*was);
  result_.kept.push_back(name);
  return true;
}

void Merger::accept(const PlacedNode& placed) {
  checks_.take(placed);
  result_.cluster.peers.push_back(placed.node);
  if (!placed.node.pod_cidrs.empty()) routed_.insert(placed.node.name);
}

std::set<std::string> Merger::gone() const {
  std::set<std::string> names;
  for (const auto& [name, node] : before_)
    if (name != node_name_ && !node->pod_cidrs.empty() && !routed_.contains(name)) names.emplace(name);
  return names;
}

void Merger::keep(const std::set<std::string>& names) {
  for (const std::string& name : names) {
    bare_.erase(name);
    (void)fall_back(name);
  }
}

Nodes Merger::finish() {
  for (const auto& [name, placed] : std::exchange(bare_, {})) {
    Problems problems;
    checks_.check(*placed, problems);
    if (problems.empty() && has_address(placed->node)) accept(*placed);
  }
  if (in_order_) return std::move(result_);
  std::sort(result_.cluster.peers.begin(), result_.cluster.peers.end(),
            [](const Node& a, const Node& b) { return a.name < b.name; });
  return std::move(result_);
}

}  // namespace onlink::node
