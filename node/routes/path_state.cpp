// SPDX-License-Identifier: Apache-2.0
#include "node/routes/path_state.h"

#include "netlink/route_key.h"

namespace onlink::node {

PathStates PathStates::before(const Changes& changes) {
  PathStates states;
  for (const netlink::Route& route : changes.replace) states.states_[route.dst] = "differs";
  for (const netlink::Route& route : changes.add) states.states_[route.dst] = "missing";
  states.add_conflicts(changes);
  return states;
}

PathStates PathStates::after(const Changes& changes, const std::vector<IpPrefix>& refused) {
  PathStates states;
  for (const IpPrefix& subnet : refused) states.states_[subnet] = "missing";
  states.add_conflicts(changes);
  return states;
}

void PathStates::add_conflicts(const Changes& changes) {
  for (const Conflict& conflict : changes.conflicts)
    states_[conflict.wanted.dst] = "held by proto " + netlink::protocol_name(conflict.holder.protocol);
}

std::string PathStates::of(const PeerPath& path) const {
  if (path.kind == PathKind::none) return "no path";
  const auto found = states_.find(path.cidr);
  if (found != states_.end()) return found->second;
  return path.obstacle.empty() ? "ok" : "blocked";
}

}  // namespace onlink::node
