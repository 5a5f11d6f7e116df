// SPDX-License-Identifier: Apache-2.0
// The nftables tables of family inet that attachments share; nothing is created per pod.
//
//   onlink_<prefix>    drops packets from an interface of this prefix whose source is routed back to another
//                      interface. rp_filter does the same for IPv4 only, and only until someone else sets it:
//                      systemd-udevd sets it for every new interface where a sysctl.d says so. Also what is for
//                      the host's loopback addresses, and solicitations that would fill its neighbour table.
//   onlink-<network>   "ipMasq": what pods send to destinations outside the network's own subnets leaves with
//                      the host's address
//
// A table exists as long as an interface needs it, whatever the configuration of a DEL or GC says: it may be older or newer
// than that of living pods. Checks and changes are made under a lock on the network namespace, after the
// interface was created or deleted: so the deletion of the last one and the creation of the next cannot miss each
// other. DEL also checks before, as if its interface, which is down by then, were gone. All functions act in the
// caller's network namespace, that of their socket, and throw Failure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "netlink/socket.h"
#include "nft/ruleset.h"

namespace onlink::plugin {

// The consequence of missing source rules.
inline constexpr std::string_view without_source_rules = "only rp_filter checks the source addresses of pods";

inline constexpr std::chrono::seconds longest_wait{10};

// The table of a prefix begins with it.
inline constexpr std::string_view sources_table = "onlink_";

struct Rules {
  nft::Ruleset sources;
  bool masquerades = false;
  nft::Ruleset masquerade;  // where nothing is masqueraded, an ADD that succeeds removes its table

  // Those of the two that should exist.
  std::vector<nft::Ruleset> wanted() const;
};

// Why the prefix does not suit this host; empty where it does: an interface that is no host end has a name with it, and
// packets from it would be checked as a pod's.
std::string problem_of_prefix(const Rules& rules, netlink::Socket& host);

// Creates what is missing: tables, rules, elements of sets; what other attachments need stays in the sets. Where the
// kernel cannot check sources (without nftables), `note` gets the reason; that is no failure. Before the table of
// sources is made, the prefix is checked: Failure (configuration). True where the network has a table for
// masquerading that it should not have: see remove_masquerade().
bool ensure_rules(const Rules& rules, netlink::Socket& host,
                  const std::function<void(const std::string&)>& note);
void remove_masquerade(const Rules& rules, netlink::Socket& host);

// What of that is missing. Nothing is changed.
struct Missing {
  std::string sources;                  // their rules, in words; empty: nothing
  std::vector<std::string> masquerade;  // for masquerading these addresses
};
Missing missing_rules(const Rules& rules, const std::vector<IpAddress>& addresses);

// Whether the table is there.
bool has_table(const nft::Ruleset& ruleset);
// Why ensure_rules() could not make these; nothing where it could. No rules are changed.
std::optional<Failure> try_rules(const nft::Ruleset& ruleset, netlink::Socket& host);

// Whether each of these has an interface that needs it.
using AllNeeded = std::function<bool(std::vector<const nft::Ruleset*>)>;
// Whether there may be a table that no interface needs.
bool may_have_unused(const Rules& rules, const AllNeeded& all_needed);
// Removes the tables that no interface needs any more, those of former prefixes too; all_needed is called under the
// lock. Returns the sockets that removed them: closing one waits until no packet uses a table any more (see
// nft::TableChange), which goes on while it is open. wait: for the lock.
std::vector<netlink::Socket> remove_unused_rules(const Rules& rules, netlink::Socket& host,
                                                 const AllNeeded& all_needed,
                                                 std::chrono::milliseconds wait = longest_wait);

}  // namespace onlink::plugin
