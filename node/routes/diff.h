// SPDX-License-Identifier: Apache-2.0
// The difference between what is and what should be: the least that has to change, as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/route.h"
#include "node/routes/desired.h"
#include "node/routes/host.h"

namespace onlink::node {

struct TunnelChanges {
  bool create = false;
  std::optional<IpAddress> local;  // of what is created: then it is ipip.onlink
  bool remove_own = false;  // ipip.onlink: before it is made again; or no longer wanted, after the routes
  std::uint32_t mtu = 0;    // 0: stays
  bool pmtudisc = false;
  bool up = false;
  bool loose =
      false;  // rp_filter 2: a node may send through it that is on-link for us, while we are not for it
  std::optional<IpPrefix> add_address;
  std::vector<IpPrefix> remove_addresses;  // after the routes that name them as source are gone

  bool operator==(const TunnelChanges&) const = default;
};

struct VxlanChanges {
  // Its name, if it has another name or other settings: before `create`; or if it is not wanted: after the routes.
  std::string remove;
  std::optional<WantedVxlan> create;
  std::uint32_t mtu = 0;  // 0: stays
  bool up = false;
  bool loose = false;  // as in TunnelChanges
  std::vector<IpPrefix> add_addresses;
  std::vector<IpPrefix> remove_addresses;
  std::vector<netlink::FdbEntry> wrong_fdb;  // of a wanted MAC, which leads elsewhere: removed before `add`
  VxlanEntries add;                          // each replaces the entry with its key
  VxlanEntries remove_entries;

  bool operator==(const VxlanChanges&) const = default;
};

// A destination that somebody else already routes with the same metric: left alone.
struct Conflict {
  netlink::Route wanted;
  netlink::Route holder;
};

struct Changes {
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  std::vector<std::string> accept_ra;  // interfaces on which it becomes 2, before forwarding_v6
  TunnelChanges tunnel;
  VxlanChanges vxlan;
  std::vector<netlink::Route> add;
  std::vector<netlink::Route>
      replace;  // we have this key, but something else differs, or we have it several times
  std::vector<netlink::Route> remove;
  std::vector<netlink::Route> held;  // removed once the list of nodes is complete
  std::vector<Conflict> conflicts;

  bool empty() const;  // held routes and conflicts are no changes
};

struct DiffRules {
  std::vector<IpPrefix> own_addresses;  // that we have put on the tunnel device
  bool may_withdraw = true;             // false: the list of nodes is not known to be complete
};

Changes diff(const Desired& desired, const Host& host, const DiffRules& rules);

// Moves routes whose key others hold (see find_holders), or an attachment, from `wanted` to `conflicts`.
void set_apart(const Host& host, std::vector<netlink::Route>& wanted,
               const std::vector<std::optional<netlink::Route>>& holders, std::vector<Conflict>& conflicts);

// The same changes as commands of iproute2 and sysctl, in the order in which they are made.
std::vector<std::string> commands(const Changes& changes, const Host& host);

}  // namespace onlink::node
