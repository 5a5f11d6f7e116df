// SPDX-License-Identifier: Apache-2.0
// The nftables tables of family inet that attachments share; nothing is made for each pod.
//
//   onlink_<prefix>    what comes from an interface of this prefix with a source whose way back is another
//                      interface is dropped. rp_filter does the same for IPv4 alone, and only until somebody
//                      else sets it: systemd-udevd sets it for every new interface where a sysctl.d says so.
//   onlink-<network>   "ipMasq": what pods send to elsewhere than the network's own subnets leaves with the
//                      host's address
//
// A table is there as long as there is an interface that needs it. Looking and changing are done under a lock
// on runDir itself, and after the interface was made, or deleted: so whoever deletes the last one and whoever
// makes the next cannot miss each other. DEL looks before as well, as if its interface, which is down by then, were gone.
// All functions act in the caller's network namespace and throw Failure.
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

// What it means that the rules about sources are not there.
inline constexpr std::string_view without_source_rules =
    "of the sources of pods, rp_filter alone is the judge";

inline constexpr std::chrono::seconds longest_wait{10};

struct Rules {
  std::string lock_folder;
  nft::Ruleset sources;
  bool masquerades = false;
  nft::Ruleset masquerade;  // where nothing is masqueraded, its table goes

  // Both; those that are to be there.
  std::vector<nft::Ruleset> wanted() const;
};

// Makes what is missing: tables, rules, elements of sets; what other attachments need stays in the sets. Where
// sources cannot be checked so (a kernel without nftables), that is told to `note` and no failure.
void ensure_rules(const Rules& rules, const std::function<void(const std::string&)>& note);

// What is missing of that. Nothing is changed.
struct Missing {
  bool sources = false;                 // their rules
  std::vector<std::string> masquerade;  // of the masquerade of these addresses, in words
};
Missing missing_rules(const Rules& rules, const std::vector<IpAddress>& addresses);

// Why the kernel would refuse these; nothing where it would not. Nothing is changed.
std::optional<Failure> try_rules(const nft::Ruleset& ruleset);

// Whether an interface is there that needs the rules.
using HasInterface = std::function<bool(const nft::Ruleset&)>;
// Whether there may be a table that none needs.
bool may_have_unused(const Rules& rules, const HasInterface& has_interface);
// Takes away the tables that no interface needs any more; has_interface is asked under the lock. The sockets by which they
// went: to close one waits until no packet uses a table any more (see nft::TableChange), which goes on while it is open.
// wait: for the lock.
std::vector<netlink::Socket> remove_unused_rules(const Rules& rules, const HasInterface& has_interface,
                                                 std::chrono::milliseconds wait = longest_wait);

}  // namespace onlink::plugin
