// SPDX-License-Identifier: Apache-2.0
// Others' chains in which packets are lost, for sure. In the caller's network namespace. Throws Failure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nft/packets.h"

namespace onlink::nft {

// Chains of a hook (NF_INET_*) that drop such packets, or a part of them: those from or to some of their networks, or
// interfaces. A flow of packets counts by name if the rule that drops them asks for an interface, address, port or
// protocol of theirs. One such flow suffices, or one direction in which nothing passes later either: then no connection
// works. Else all flows of one family must be lost: what nobody names may well be meant. Chains that rules lead to
// count. Where it is not known whether a rule is for the packets, it may be or not. Without our own table, and tables
// that are asleep. None where the kernel has no nftables.
struct DroppingChain {
  std::string family, table, name;  // family: in nft(8)'s words
  bool by_name = false;
};
std::vector<DroppingChain> chains_that_drop(std::uint32_t hook, const std::vector<Packets>& flows);

}  // namespace onlink::nft
