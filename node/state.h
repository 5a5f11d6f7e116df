// SPDX-License-Identifier: Apache-2.0
// What outlives a process, in small files that are replaced as a whole.
//
//   <state>/cluster.json   the last good list of nodes; survives a reboot
//   <run>/node.json        how this host was before we changed it, what is ours on tunl0, which rules were
//                          loaded; gone with the next boot, like what it describes
//   <run>/paths            since when each path is as it is: "10.10.1.0/24 1700000000 direct: ..."
//   <run>/mtu              the MTU for new pods, for ADD: one number and a newline
//   <run>/reserved         this node's addresses in its pod subnets, for onlink-ipam: no pod gets them
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "node/cluster/cluster.h"
#include "node/directories.h"
#include "node/routes/host.h"
#include "node/rules/firewall.h"

namespace onlink::node {

// Settings that we change, as they were before: `clean` restores them.
struct Before {
  bool forwarding_v4 = false;
  bool forwarding_v6 = false;
  bool tunnel = false;  // the device was there; only then the rest has a meaning
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
  std::string_view how;   // PathKind, and why
  std::int64_t when = 0;  // seconds since 1970
};
// Of <run>/paths: by pod subnet. All texts are parts of `lines`.
std::unordered_map<std::string_view, Since> parse_paths(std::string_view lines);

struct RunState {
  std::optional<Before> before;
  std::vector<IpPrefix> own_addresses;  // on tunl0, put there by us
  std::vector<std::string> accept_ra;   // interfaces on which we set it from 1 to 2
  bool ipip_missing = false;            // when a tunnel was last asked for
  Loaded ruleset;
  std::string paths;  // what is in <run>/paths: with 100,000 peers a map of it takes four times the memory

  bool operator==(const RunState&) const = default;
};

// A damaged file counts as none: it only says what was, never what should be. Throws Failure if it cannot be read: then
// it must stay, for it may say more than we know.
RunState load_run_state(const Directories& directories);
bool has_run_state(const Directories& directories);
void save_run_state(const Directories& directories, const RunState& state);
void forget_run_state(const Directories& directories);

// Nothing if there is none, or none that this node can use; then `why` says so. Throws nothing.
std::optional<Cluster> load_last_good(const Directories& directories, const std::string& node_name,
                                      std::string& why);
void save_last_good(const Directories& directories, const Cluster& cluster);
void forget_last_good(const Directories& directories);

// Writes the file only if it differs. 0 removes it.
void publish_mtu(const Directories& directories, std::uint32_t mtu);
// The same with the addresses of this node's tunnel ends; without any it removes the file.
void publish_reserved(const Directories& directories, const Node& self);

}  // namespace onlink::node
