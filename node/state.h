// SPDX-License-Identifier: Apache-2.0
// What outlives a process, as small files that are replaced whole.
//
//   <state>/cluster.json   the last good list of nodes; survives a reboot
//   <run>/node.json        what this host was like before we changed it, what is ours on tunl0, which rules
//                          were loaded; gone with the next boot, as is what it describes
//   <run>/paths            since when each path is as it is: "10.10.1.0/24 1700000000 direct: ..."
//   <run>/mtu              the MTU for new pods, for ADD: one number and a newline
//   <run>/reserved         this node's address in its pod subnet, for onlink-ipam: no pod gets it
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "node/cluster/cluster.h"
#include "node/directories.h"
#include "node/routes/host.h"
#include "node/rules/firewall.h"

namespace onlink::node {

// The settings that we change and that were somebody's before: `clean` gives them back.
struct Before {
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  bool tunnel = false;  // the device was there; the rest means something only then
  bool tunnel_up = false;
  std::uint32_t tunnel_mtu = 0;
  std::uint8_t tunnel_ttl = 0;
  bool tunnel_pmtudisc = false;
  std::uint32_t tunnel_rp_filter = 0;
  std::vector<IpPrefix> tunnel_addresses;

  bool operator==(const Before&) const = default;
};
Before remember(const Host& host);

struct Since {
  std::string how;        // the route, or what is wrong
  std::int64_t when = 0;  // seconds since 1970

  bool operator==(const Since&) const = default;
};

struct RunState {
  std::optional<Before> before;
  std::vector<IpPrefix> own_addresses;  // on tunl0, put there by us
  std::vector<std::string> accept_ra;   // interfaces on which we made 2 of a 1
  bool ipip_missing = false;            // found out when a tunnel was last asked for
  Loaded ruleset;
  std::map<std::string, Since> paths;  // by pod subnet

  bool operator==(const RunState&) const = default;
};

// An unreadable or damaged file is as good as none: it only says what was, never what should be.
RunState load_run_state(const Directories& directories);
void save_run_state(const Directories& directories, const RunState& state);
void forget_run_state(const Directories& directories);

// Nothing where there is none, or none that this node could use. Throws nothing for a damaged file; `why`
// says it.
std::optional<Cluster> load_last_good(const Directories& directories, const std::string& node_name,
                                      std::string& why);
void save_last_good(const Directories& directories, const Cluster& cluster);
void forget_last_good(const Directories& directories);

// Written only where it differs. 0 removes it.
void publish_mtu(const Directories& directories, std::uint32_t mtu);
// The same, the addresses of the ends of this node's tunnels; a node without any removes it.
void publish_reserved(const Directories& directories, const Node& self);

}  // namespace onlink::node
