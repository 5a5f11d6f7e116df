// SPDX-License-Identifier: Apache-2.0
#include "node/sources/learned_routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/failure.h"

namespace onlink::node {
namespace {

// Routes that say nothing about where another node is, which a daemon keeps for itself, or that are for some packets only.
bool is_beside_the_point(const netlink::Route& route) {
  return route.type != RTN_UNICAST || route.tos != 0 || route.from;
}

}  // namespace

LearnedRoutes::LearnedRoutes(Rules rules, std::vector<PlacedNode> known, std::string node_name,
                             const std::vector<Node>& earlier)
    : rules_(std::move(rules)), known_(std::move(known)), node_name_(std::move(node_name)) {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Node& node = known_[i].node;
    if (self_.name.empty() && node.name == node_name_) self_ = node;
    if (node.ipv4) known_by_address_.emplace(*node.ipv4, i);
    if (node.ipv6) known_by_address_.emplace(*node.ipv6, i);
  }
  if (self_.name.empty())
    throw Failure(
        FailureKind::configuration,
        fmt::format("nodes: this node, \"{}\", is not among them: its own pod subnets are not learned",
                    node_name_));
  begin_with(earlier);
}

// What this node's file does not allow any more is not among them.
void LearnedRoutes::begin_with(const std::vector<Node>& earlier) {
  for (const Node& node : earlier)
    for (const IpPrefix& cidr : node.pod_cidrs) {
      const auto& gateway = cidr.address.is_v4() ? node.ipv4 : node.ipv6;
      if (!gateway || !objection(cidr, *gateway, {}).empty()) continue;
      present_.emplace(cidr.network(), *gateway);
      carried_.emplace(cidr.network().address, std::pair(cidr.network(), *gateway));
    }
}

std::string LearnedRoutes::objection(const IpPrefix& dst, const IpAddress& gateway,
                                     const std::set<IpAddress>& addresses) const {
  if (const std::string why = no_pod_subnet(dst); !why.empty()) return why;
  const auto& prefixes = rules_.prefixes;
  if (!prefixes.empty() && std::none_of(prefixes.begin(), prefixes.end(),
                                        [&](const IpPrefix& prefix) { return prefix.contains(dst); }))
    return "lies in none of bgp.prefixes";
  if (gateway.family() != dst.family()) return "has a next hop of the other family";
  if (!gateway.is_v4() && gateway.is_link_local()) return "has a link-local next hop, which names no node";
  for (const IpPrefix& own : self_.pod_cidrs)
    if (own.overlaps(dst)) return fmt::format("overlaps {}, which is this node's", own.to_string());
  if (gateway == self_.ipv4 || gateway == self_.ipv6) return "leads to this very node";
  if (const auto inside = addresses.lower_bound(dst.address);
      inside != addresses.end() && dst.contains(*inside))
    return fmt::format("contains {}, the address of a node: the way there would loop", inside->to_string());
  return "";
}

// One next hop for each subnet: that of the route that the kernel would use. A refused route is named, and hides none.
std::map<IpPrefix, IpAddress> LearnedRoutes::usable(const std::vector<netlink::Route>& table) {
  std::vector<const netlink::Route*> routes;
  for (const netlink::Route& route : table)
    if (!is_beside_the_point(route)) routes.push_back(&route);
  std::stable_sort(routes.begin(), routes.end(), [](const netlink::Route* a, const netlink::Route* b) {
    return a->priority < b->priority;
  });
  std::set<IpAddress> addresses;  // of nodes
  for (const auto& [address, place] : known_by_address_) addresses.insert(address);
  for (const netlink::Route* route : routes)
    if (route->gateway) addresses.insert(*route->gateway);
  table_problems_.clear();
  std::map<IpPrefix, IpAddress> found;
  const auto refuse = [&](const IpPrefix& dst, const std::string& why) {
    table_problems_.push_back(
        fmt::format("{} in kernel table {} {}: not carried", dst.to_string(), rules_.table, why));
  };
  for (const netlink::Route* route : routes) {
    const IpPrefix dst = route->dst.network();
    if (found.contains(dst)) continue;
    if (!route->gateway) {
      refuse(dst, "has no single next hop");
      continue;
    }
    if (const std::string why = objection(dst, *route->gateway, addresses); !why.empty())
      refuse(dst, fmt::format("(via {}) {}", route->gateway->to_string(), why));
    else
      found.emplace(dst, *route->gateway);
  }
  return found;
}

bool LearnedRoutes::update(const std::vector<netlink::Route>& table, std::int64_t now) {
  const auto problems = table_problems_;
  auto found = usable(table);
  const bool changed = found != present_ || table_problems_ != problems;
  const bool refilled = present_.empty() && !found.empty();
  if (!found.empty() && !filled_) filled_ = now;
  for (const auto& [first, entry] : carried_)
    if (const auto& [dst, gateway] = entry; !found.contains(dst) && present_.contains(dst))
      gone_[dst] = {gateway, now + rules_.hold};
  std::erase_if(gone_, [&](const auto& entry) { return found.contains(entry.first); });
  // A daemon that fills the table again gets the whole hold time once more.
  if (refilled)
    for (auto& [dst, gone] : gone_) gone.until = now + rules_.hold;
  present_ = std::move(found);
  choose();
  return expire(now) || changed;
}

bool LearnedRoutes::expire(std::int64_t now) {
  const bool sure = !present_.empty() || rules_.allow_empty;
  bool changed = false;
  if (sure) {
    changed = std::erase_if(gone_, [&](const auto& entry) { return entry.second.until <= now; }) > 0;
    if (changed) choose();
  }
  const bool followed = rules_.allow_empty || (filled_ && *filled_ + rules_.hold <= now);
  const bool complete = sure && followed;
  changed = changed || complete != complete_;
  complete_ = complete;
  return changed;
}

std::optional<std::int64_t> LearnedRoutes::next_event() const {
  if (present_.empty() && !rules_.allow_empty) return std::nullopt;
  std::optional<std::int64_t> next;
  const auto consider = [&](std::int64_t time) { next = std::min(next.value_or(time), time); };
  for (const auto& [dst, gone] : gone_) consider(gone.until);
  if (!complete_ && filled_) consider(*filled_ + rules_.hold);
  return next;
}

// Of two overlapping subnets the first one counts: nobody can take a part of another node's range, not even while a
// restarted daemon has not put that range into the table again.
void LearnedRoutes::choose() {
  choice_problems_.clear();
  Carried carried;
  for (const auto& [first, entry] : carried_) {
    const auto still = present_.find(entry.first);
    if (still != present_.end() && still->second == entry.second)
      (void)carry(carried, entry.first, entry.second, true);
  }
  for (const auto& [dst, gateway] : present_)
    if (const auto* other = gone_of_another(dst, gateway))
      refuse_part(dst, gateway, other->first, other->second.gateway);
    else
      (void)carry(carried, dst, gateway, true);
  std::erase_if(gone_,
                [&](const auto& entry) { return !carry(carried, entry.first, entry.second.gateway, false); });
  carried_ = std::move(carried);
}

// Those that are gone do not overlap each other.
const std::pair<const IpPrefix, LearnedRoutes::Gone>* LearnedRoutes::gone_of_another(
    const IpPrefix& dst, const IpAddress& gateway) const {
  auto each = gone_.lower_bound(IpPrefix{dst.address, 0});
  if (each != gone_.begin() && std::prev(each)->first.overlaps(dst)) --each;
  for (; each != gone_.end() && each->first.overlaps(dst); ++each)
    if (each->second.gateway != gateway) return &*each;
  return nullptr;
}

void LearnedRoutes::refuse_part(const IpPrefix& dst, const IpAddress& gateway, const IpPrefix& others,
                                const IpAddress& owner) {
  choice_problems_.push_back(fmt::format("{} in kernel table {} (via {}) overlaps {} of {}: not carried",
                                         dst.to_string(), rules_.table, gateway.to_string(),
                                         others.to_string(), name_of(owner)));
}

bool LearnedRoutes::carry(Carried& carried, const IpPrefix& dst, const IpAddress& gateway, bool complain) {
  const Carried::mapped_type* other = nullptr;
  auto next = carried.lower_bound(dst.address);
  if (next != carried.end() && next->second.first.overlaps(dst)) other = &next->second;
  if (other == nullptr && next != carried.begin() && std::prev(next)->second.first.overlaps(dst))
    other = &std::prev(next)->second;
  if (other == nullptr) {
    carried.emplace(dst.address, std::pair(dst, gateway));
    return true;
  }
  const bool same = other->second == gateway && other->first.contains(dst);
  if (complain && !same) refuse_part(dst, gateway, other->first, other->second);
  return false;
}

std::string LearnedRoutes::name_of(const IpAddress& address) const {
  const auto known = known_by_address_.find(address);
  return known == known_by_address_.end() ? address.to_string() : known_[known->second].node.name;
}

std::string LearnedRoutes::held_words() const {
  constexpr std::size_t most_named = 5;
  std::vector<std::string> named;
  for (const auto& [dst, gone] : gone_) {
    if (named.size() == most_named) {
      named.emplace_back("...");
      break;
    }
    named.push_back(fmt::format("{} ({})", dst.to_string(), name_of(gone.gateway)));
  }
  if (named.empty()) return {};
  return fmt::format("no longer in kernel table {}, kept for {} s: {}", rules_.table, rules_.hold / 1000,
                     fmt::join(named, ", "));
}

// The nodes of the file, and one for every other next hop, named by its address.
NodeList LearnedRoutes::list() const {
  NodeList list;
  list.nodes = known_;
  for (PlacedNode& placed : list.nodes)
    if (placed.node.name != node_name_) placed.node.pod_cidrs.clear();
  std::map<IpAddress, std::size_t> places = known_by_address_;
  for (const auto& [first, entry] : carried_) {
    const auto& [dst, gateway] = entry;
    const auto [place, fresh] = places.emplace(gateway, list.nodes.size());
    if (fresh) {
      Node node;
      node.name = gateway.to_string();
      (gateway.is_v4() ? node.ipv4 : node.ipv6) = gateway;
      list.nodes.push_back({fmt::format("next hop {}", node.name), node});
    }
    list.nodes[place->second].node.pod_cidrs.push_back(dst);
  }
  list.complete = complete_;
  add_problems(list.problems, "route-refused", Subject::list, table_problems_);
  add_problems(list.problems, "route-refused", Subject::list, choice_problems_);
  if (const std::string words = held_words(); !words.empty())
    list.problems.push_back({"route-gone", Subject::list, words});
  return list;
}

}  // namespace onlink::node
