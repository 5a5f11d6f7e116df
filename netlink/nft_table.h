// SPDX-License-Identifier: Apache-2.0
// What is in an nftables table of family inet, by the kernel's own answers: libnftables reads all elements of
// all sets whatever it is asked for, which takes long where there are thousands. In the caller's network
// namespace. Throws Failure.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/socket.h"

namespace onlink::netlink {

struct AddressRange {
  IpAddress first, last;

  static AddressRange of(const IpPrefix& prefix) { return {prefix.network().address, prefix.last()}; }
  std::string to_string() const;  // as nft(8) has it: an address, a prefix where it is one, or a range

  auto operator<=>(const AddressRange&) const = default;
};

// The elements of a set with flag interval, in order. Nothing where there is no such set. socket: of
// NETLINK_NETFILTER.
std::optional<std::vector<AddressRange>> list_set(Socket& socket, const std::string& table,
                                                  const std::string& set);

// The table, its chains and their rules, as bytes that stay the same until somebody changes one of them, or
// adds or removes a set or an object. What lies in sets, and what was counted, is not among them. Empty:
// there is no such table. In the caller's network namespace.
std::string rules_of_table(const std::string& table);

}  // namespace onlink::netlink
