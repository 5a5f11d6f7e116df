// SPDX-License-Identifier: Apache-2.0
// Others' chains in which packets are lost, for sure. In the caller's network namespace. Throws Failure.
#pragma once

#include <linux/netfilter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nft/packets.h"

namespace onlink::nft {

// Of network devices (family netdev): what leaves by them. What arrives there is NF_INET_INGRESS, of family inet too.
inline constexpr std::uint32_t egress = NF_INET_INGRESS + 1;

// Chains of these hooks (NF_INET_*, egress) that drop such packets, or a part of them: those from or to some of their
// networks, or interfaces. A flow of packets counts by name if the rule that drops them asks for an interface, address,
// port or protocol of theirs. One such flow suffices, or one direction in which nothing passes later either: then no
// connection works. Else all flows of one family must be lost: what nobody names may well be meant. Chains that rules
// lead to count. Where it is not known whether a rule is for the packets, it may be or not. A chain of devices concerns
// the packets for which these are known by name. Without our own table, and tables that are asleep. None where the
// kernel has no nftables.
struct DroppingChain {
  std::uint32_t hook = 0;
  std::string family, table, name;  // family: in nft(8)'s words
  bool by_name = false;
};
std::vector<DroppingChain> chains_that_drop(std::span<const std::uint32_t> hooks,
                                            const std::vector<Packets>& flows);

}  // namespace onlink::nft
