// SPDX-License-Identifier: Apache-2.0
// A rule of nftables, word by word, in both languages: each word as nft(8) prints it, and as the expressions
// that the kernel runs. In a table of family inet.
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
  const char* name;                             // of the kernel's (net/netfilter/nft_*.c)
  std::function<void(netlink::Message&)> data;  // what is in its NFTA_EXPR_DATA
};

struct Word {
  std::string text;
  std::vector<Expression> expressions;
  std::optional<IpFamily> family =
      {};  // of the header that it looks at: packets of the other one do not match
};
using Rule = std::vector<Word>;

std::string print(const Rule& rule);
// Its NFTA_RULE_EXPRESSIONS.
void put(netlink::Message& message, const Rule& rule);

// Matches.
Word source_in(const std::string& set, IpFamily family);
Word destination_not_in(const std::string& set, IpFamily family);
Word source_not_in(const std::string& set, IpFamily family);
// Of an IPIP packet that has been put together (hook input): its sender, and the source inside.
Word source_and_inner_source_in(const std::string& set);
// Of a VXLAN packet: to this port; with this network identifier; with a packet of this family inside, and the sender
// with the source inside that.
Word to_udp_port(std::uint16_t port);
Word vni_is(std::uint32_t vni, IpFamily outer);
Word vxlan_carries(IpFamily inner);
// Where that is, in nft(8)'s words.
std::string vxlan_source_field(IpFamily inner);
Word source_and_vxlan_source_in(const std::string& set, IpFamily outer, IpFamily inner);
Word source_is_not(const IpAddress& address);
Word source_within(const IpPrefix& prefix);
Word source_is_local();
Word no_way_back_through_its_interface();  // to the source
Word ipv4_protocol_is_ipip();
Word protocol_is_ipip();  // in IPv6 too, behind extension headers
Word not_from_interfaces(const std::string& beginning);
Word to_interface(const std::string& name);
// What is done.
Word count_in(const std::string& counter);
// Of IPv4: the set gets the source, with a counter of its own. A packet for which a full set has no room does not match:
// nothing else may stand in such a rule.
Word count_source_in(const std::string& set);
Word masquerade();
Word drop();
Word go_back();  // return

}  // namespace onlink::nft
