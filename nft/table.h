// SPDX-License-Identifier: Apache-2.0
// What is in the nftables tables, by the kernel's own answers: only what is asked for is read, as there may
// be thousands of elements in sets. In the caller's network namespace. Throws Failure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"

namespace onlink::nft {

struct AddressRange {
  IpAddress first, last;
  std::optional<IpAddress> sender = {};  // in a set of pairs: who may send what is in the range

  static AddressRange of(const IpPrefix& prefix) { return {prefix.network().address, prefix.last()}; }
  // As nft(8) has it: an address, a prefix where it is one, or a range; of a pair, two words.
  std::string to_string() const;

  auto operator<=>(const AddressRange&) const = default;
};

// The elements of a set with flag interval, of addresses or of pairs, in order. Nothing where there is no such set. socket: of
// NETLINK_NETFILTER.
// sender: the family of the senders in pairs, which the kernel does not tell.
std::optional<std::vector<AddressRange>> list_set(netlink::Socket& socket, const std::string& table,
                                                  const std::string& set, IpFamily sender = IpFamily::v4);

// Every chain of family inet. None where the kernel has no nftables.
struct Chain {
  std::string table, name;
  std::uint32_t rules = 0;  // how many there are, and jumps to it
};
std::vector<Chain> list_chains();

// The table, its chains and their rules, as bytes that stay the same until somebody changes one of them, or
// adds or removes a set or an object. What lies in sets, and what was counted, is not among them. Empty:
// there is no such table. In the caller's network namespace.
std::string rules_of_table(const std::string& table);

struct Count {
  std::uint64_t packets = 0, bytes = 0;

  bool operator==(const Count&) const = default;
};
// What a table has counted: by its counters' names, and by the addresses that rules have added to a set.
struct Counts {
  std::map<std::string, Count> counters;
  std::map<IpAddress, Count> senders;

  bool operator==(const Counts&) const = default;
};
// Nothing where there is no such table, no senders where there is no such set.
Counts list_counts(const std::string& table, const std::string& senders);

// Chains of a hook (NF_INET_*), of any family, that drop what no rule accepts, by their policy or by a last
// rule, while no rule, also of a chain that they lead to, compares anything with these bytes: the beginning
// of an interface's name, a protocol's number. None where the kernel has no nftables.
struct DroppingChain {
  std::string family, table, name;  // family: as nft(8) has it
};
std::vector<DroppingChain> chains_that_drop(std::uint32_t hook, const std::string& unless_named);

}  // namespace onlink::nft
