// SPDX-License-Identifier: Apache-2.0
// A rule of an nftables table of family inet, word by word, in two forms: as nft(8) prints each word, and as the
// expressions that the kernel runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "netlink/message.h"

namespace onlink::nft {

struct Expression {
  const char* name;                             // the kernel's (net/netfilter/nft_*.c)
  std::function<void(netlink::Message&)> data;  // puts its NFTA_EXPR_DATA
};

struct Word {
  std::string text;
  std::vector<Expression> expressions;
  std::optional<IpFamily> family = {};  // of the header that it reads: the other family does not match
};
using Rule = std::vector<Word>;

std::string print(const Rule& rule);
// Puts its NFTA_RULE_EXPRESSIONS.
void put(netlink::Message& message, const Rule& rule);

// Matches.
Word source_in(const std::string& set, IpFamily family);
Word destination_not_in(const std::string& set, IpFamily family);
Word source_not_in(const std::string& set, IpFamily family);
// Of a reassembled IPIP packet (hook input): its sender, and the inner source.
Word source_and_inner_source_in(const std::string& set);
// Of a VXLAN packet: its port; its own family; its VNI; the family of the inner packet; and its sender with the inner
// source.
Word to_udp_port(std::uint16_t port);
Word of_family(IpFamily family);
Word vni_is_not(std::uint32_t vni);
Word vxlan_carries(IpFamily inner);
// The place of the inner source, in nft(8)'s words.
std::string vxlan_source_field(IpFamily inner);
Word source_and_vxlan_source_in(const std::string& set, IpFamily outer, IpFamily inner);
Word source_is_not(const IpAddress& address);
Word source_within(const IpPrefix& prefix);
Word destination_within(const IpPrefix& prefix);
Word source_is_local();
Word no_way_back_through_its_interface();  // to the source
Word ipv4_protocol_is_ipip();
Word protocol_is_ipip();        // in IPv6 too, behind extension headers
Word is_router_solicitation();  // IPv6's, as the next one behind extension headers too
Word is_neighbour_solicitation();
Word not_from_interfaces(const std::string& beginning);
// That more than a few such packets, and then more than one every few seconds, have come from the packet's interface. The
// set keeps count of each.
Word too_many_of_interface(const std::string& set);
Word to_interface(const std::string& name);
// Statements.
Word count_in(const std::string& counter);
// IPv4: adds the source to the set, with a counter of its own. A packet for which a full set has no room does not
// match, so put nothing else into such a rule.
Word count_source_in(const std::string& set);
Word masquerade();
Word drop();
Word go_back();  // return

}  // namespace onlink::nft
