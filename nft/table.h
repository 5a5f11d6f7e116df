// SPDX-License-Identifier: Apache-2.0
// The content of nftables tables, as the kernel reports it. Only what is asked for is read, as sets may have thousands
// of elements. In the caller's network namespace. Throws Failure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"
#include "nft/elements.h"

namespace onlink::nft {

struct AddressRange {
  IpAddress first, last;
  std::optional<IpAddress> sender = {};  // in a set of pairs: who may send from the range

  static AddressRange of(const IpPrefix& prefix) { return {prefix.network().address, prefix.last()}; }
  // In nft(8)'s form: an address, a prefix where it is one, or a range; for a pair, "sender . first-last".
  std::string to_string() const;

  auto operator<=>(const AddressRange&) const = default;
};

// Whether there is this table of family inet. A kernel without nftables has none.
bool has_nft_table(const std::string& name);

// Names the state of all nftables rules: equal texts mean that nobody has committed anything in between. Holds for this
// boot and namespace only; the text names both. Empty where the kernel does not report it (before Linux 5.14, or without
// nftables).
std::string ruleset_generation();
// The name after a single commit (net/netfilter/nf_tables_api.c, nf_tables_commit); empty for an empty one.
std::string next_generation(const std::string& generation);

// The elements of a set with flag interval, of addresses or of pairs, sorted. Nothing where there is no such set.
// socket: of NETLINK_NETFILTER. sender: the family of the senders in pairs, which the kernel does not report.
std::optional<std::vector<AddressRange>> list_set(netlink::Socket& socket, const std::string& table,
                                                  const std::string& set, IpFamily sender = IpFamily::v4);

// Whether the table is there, and its chains see packets: it may be dormant.
bool is_awake(netlink::Socket& socket, const std::string& table);

// Every chain of family inet.
struct Chain {
  std::string table, name;
  std::uint32_t rules = 0;  // their number, plus the jumps to it (NFTA_CHAIN_USE)
};
std::vector<Chain> list_chains(netlink::Socket& socket);

// The table, its chains and their rules, as bytes that stay the same until one of them changes, or a set or an object
// is added or removed. Elements of sets and counted values are not included. Empty: there is no such table. In the
// caller's network namespace.
std::string rules_of_table(const std::string& table);

// What a table has counted: by the names of its counters, and by the addresses that rules have added to a set.
struct Counts {
  std::map<std::string, Count> counters;
  std::map<IpAddress, Count> senders;

  bool operator==(const Counts&) const = default;
};
// Nothing where there is no such table, no senders where there is no such set.
Counts list_counts(const std::string& table, const std::string& senders);

}  // namespace onlink::nft
