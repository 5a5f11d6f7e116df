// SPDX-License-Identifier: Apache-2.0
#include "nft/rule.h"

#include <endian.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Message;
using netlink::Nested;
namespace {

using ByteList = std::vector<std::uint8_t>;

ByteList to_bytes(const IpAddress& address) { return {address.bytes().begin(), address.bytes().end()}; }

// Compares with register 1.
Expression compare(ByteList with, bool equal = true) {
  return {"cmp", [with = std::move(with), equal](Message& message) {
            put_number(message, NFTA_CMP_SREG, NFT_REG_1);
            put_number(message, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
            put_data(message, NFTA_CMP_DATA, with);
          }};
}

Expression load_meta(nft_meta_keys key) {
  return {"meta", [key](Message& message) {
            put_number(message, NFTA_META_KEY, key);
            put_number(message, NFTA_META_DREG, NFT_REG_1);
          }};
}

Expression load_header(std::uint32_t offset, std::uint32_t length,
                       nft_payload_bases base = NFT_PAYLOAD_NETWORK_HEADER,
                       std::uint32_t destination = NFT_REG_1) {
  return {"payload", [=](Message& message) {
            put_number(message, NFTA_PAYLOAD_DREG, destination);
            put_number(message, NFTA_PAYLOAD_BASE, base);
            put_number(message, NFTA_PAYLOAD_OFFSET, offset);
            put_number(message, NFTA_PAYLOAD_LEN, length);
          }};
}

// Where the addresses are: struct iphdr, struct ipv6hdr.
Expression load_source(IpFamily family) {
  return load_header(family == IpFamily::v4 ? 12 : 8, bytes_of(family));
}
Expression load_destination(IpFamily family) {
  return load_header(family == IpFamily::v4 ? 16 : 24, bytes_of(family));
}

Expression look_up(const std::string& set, bool in) {
  return {"lookup", [set, in](Message& message) {
            message.put(Attribute<std::string>{NFTA_LOOKUP_SET}, set);
            put_number(message, NFTA_LOOKUP_SREG, NFT_REG_1);
            if (!in) put_number(message, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
          }};
}

Expression keep_bits(const IpPrefix& prefix) {
  const IpAddress lowest = IpPrefix::any(prefix.family()).address;
  const auto difference = IpPrefix{lowest, prefix.length}.last().number();  // the host bits
  const auto all = IpPrefix::any(prefix.family()).last().number();
  const ByteList mask = to_bytes(IpAddress::from_number(prefix.family(), all - difference));
  return {"bitwise", [mask](Message& message) {
            put_number(message, NFTA_BITWISE_SREG, NFT_REG_1);
            put_number(message, NFTA_BITWISE_DREG, NFT_REG_1);
            put_number(message, NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
            put_data(message, NFTA_BITWISE_MASK, mask);
            put_data(message, NFTA_BITWISE_XOR, ByteList(mask.size()));
          }};
}

Expression ask_routes(nft_fib_result result, std::uint32_t flags) {
  return {"fib", [result, flags](Message& message) {
            put_number(message, NFTA_FIB_DREG, NFT_REG_1);
            put_number(message, NFTA_FIB_RESULT, result);
            put_number(message, NFTA_FIB_FLAGS, flags);
          }};
}

Expression verdict(int code) {
  return {"immediate", [code](Message& message) {
            put_number(message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
            message.nest(Attribute<Nested>{NFTA_IMMEDIATE_DATA}, [&] {
              message.nest(Attribute<Nested>{NFTA_DATA_VERDICT},
                           [&] { put_number(message, NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code)); });
            });
          }};
}

const char* name_of(IpFamily family) { return family == IpFamily::v4 ? "ip" : "ip6"; }

void put_expression(Message& message, const Expression& expression) {
  message.nest(Attribute<Nested>{NFTA_LIST_ELEM}, [&] {
    message.put(Attribute<std::string>{NFTA_EXPR_NAME}, expression.name);
    message.nest(Attribute<Nested>{NFTA_EXPR_DATA}, [&] { expression.data(message); });
  });
}

}  // namespace

std::string print(const Rule& rule) {
  std::string text;
  for (const Word& word : rule) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

// A chain of family inet sees both families: the family is checked before the first look into a header.
void put(Message& message, const Rule& rule) {
  std::optional<IpFamily> family;
  message.nest(Attribute<Nested>{NFTA_RULE_EXPRESSIONS}, [&] {
    for (const Word& word : rule) {
      if (word.family && word.family != family) {
        put_expression(message, load_meta(NFT_META_NFPROTO));
        put_expression(message, compare({word.family == IpFamily::v4 ? std::uint8_t{NFPROTO_IPV4}
                                                                     : std::uint8_t{NFPROTO_IPV6}}));
        family = word.family;
      }
      for (const Expression& expression : word.expressions) put_expression(message, expression);
    }
  });
}

Word source_in(const std::string& set, IpFamily family) {
  return {
      fmt::format("{} saddr @{}", name_of(family), set), {load_source(family), look_up(set, true)}, family};
}

Word source_not_in(const std::string& set, IpFamily family) {
  return {fmt::format("{} saddr != @{}", name_of(family), set),
          {load_source(family), look_up(set, false)},
          family};
}

// The inner header follows the outer one. A set's pair is read from two 32-bit registers; the first of them
// is the beginning of register 1.
Word source_and_inner_source_in(const std::string& set) {
  return {fmt::format("ip saddr . @th,96,32 @{}", set),
          {load_source(IpFamily::v4), load_header(12, 4, NFT_PAYLOAD_TRANSPORT_HEADER, NFT_REG32_01),
           look_up(set, true)},
          IpFamily::v4};
}

namespace {

// From the start of the outer UDP header; VXLAN and Ethernet follow it (RFC 7348, figure 1).
constexpr std::uint32_t vni_offset = 12;
constexpr std::uint32_t ether_type_offset = 28;
constexpr std::uint32_t inner_source_offset(IpFamily inner) { return inner == IpFamily::v4 ? 42 : 38; }
Expression load_behind(std::uint32_t offset, std::uint32_t length, std::uint32_t destination = NFT_REG_1) {
  return load_header(offset, length, NFT_PAYLOAD_TRANSPORT_HEADER, destination);
}

}  // namespace

std::string vxlan_source_field(IpFamily inner) {
  return fmt::format("@th,{},{}", 8 * inner_source_offset(inner), 8 * bytes_of(inner));
}

Word to_udp_port(std::uint16_t port) {
  return {fmt::format("udp dport {}", port),
          {load_meta(NFT_META_L4PROTO), compare({std::uint8_t{IPPROTO_UDP}}), load_behind(2, 2),
           compare({static_cast<std::uint8_t>(port >> 8u), static_cast<std::uint8_t>(port)})}};
}

Word of_family(IpFamily family) {
  return {fmt::format("meta nfproto {}", family == IpFamily::v4 ? "ipv4" : "ipv6"), {}, family};
}

Word vni_is_not(std::uint32_t vni) {
  return {fmt::format("@th,{},24 != {:#x}", 8 * vni_offset, vni),
          {load_behind(vni_offset, 3),
           compare({static_cast<std::uint8_t>(vni >> 16u), static_cast<std::uint8_t>(vni >> 8u),
                    static_cast<std::uint8_t>(vni)},
                   false)}};
}

Word vxlan_carries(IpFamily inner) {
  const std::uint16_t type = inner == IpFamily::v4 ? ETH_P_IP : ETH_P_IPV6;
  return {fmt::format("@th,{},16 {:#06x}", 8 * ether_type_offset, type),
          {load_behind(ether_type_offset, 2),
           compare({static_cast<std::uint8_t>(type >> 8u), static_cast<std::uint8_t>(type)})}};
}

// The inner source goes into the register after the sender's.
Word source_and_vxlan_source_in(const std::string& set, IpFamily outer, IpFamily inner) {
  const std::uint32_t next = NFT_REG32_00 + bytes_of(outer) / 4;
  return {fmt::format("{} saddr . {} @{}", name_of(outer), vxlan_source_field(inner), set),
          {load_source(outer), load_behind(inner_source_offset(inner), bytes_of(inner), next),
           look_up(set, true)},
          outer};
}

Word destination_not_in(const std::string& set, IpFamily family) {
  return {fmt::format("{} daddr != @{}", name_of(family), set),
          {load_destination(family), look_up(set, false)},
          family};
}

Word source_is_not(const IpAddress& address) {
  return {fmt::format("{} saddr != {}", name_of(address.family()), address.to_string()),
          {load_source(address.family()), compare(to_bytes(address), false)},
          address.family()};
}

namespace {

Word is_within(const IpPrefix& prefix, const char* field, Expression load) {
  const IpFamily family = prefix.family();
  const std::string text = prefix.is_host() ? prefix.address.to_string() : prefix.to_string();
  Word word{fmt::format("{} {} {}", name_of(family), field, text), {std::move(load)}, family};
  if (!prefix.is_host()) word.expressions.push_back(keep_bits(prefix));
  word.expressions.push_back(compare(to_bytes(prefix.address)));
  return word;
}

}  // namespace

Word source_within(const IpPrefix& prefix) {
  return is_within(prefix, "saddr", load_source(prefix.family()));
}
Word destination_within(const IpPrefix& prefix) {
  return is_within(prefix, "daddr", load_destination(prefix.family()));
}

Word source_is_local() {
  const std::uint32_t local = RTN_LOCAL;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&local);
  return {"fib saddr type local",
          {ask_routes(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR), compare({bytes, bytes + sizeof local})}};
}

Word no_way_back_through_its_interface() {
  return {"fib saddr . iif oif missing",
          {ask_routes(NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT),
           compare(ByteList(sizeof(std::uint32_t)))}};
}

Word ipv4_protocol_is_ipip() {
  return {"ip protocol 4", {load_header(9, 1), compare({std::uint8_t{IPPROTO_IPIP}})}, IpFamily::v4};
}

Word protocol_is_ipip() {
  return {"meta l4proto 4", {load_meta(NFT_META_L4PROTO), compare({std::uint8_t{IPPROTO_IPIP}})}};
}

namespace {

Word is_icmpv6(const char* name, std::uint8_t type) {  // RFC 4861, 4.1 and 4.3
  return {fmt::format("icmpv6 type {}", name),
          {load_meta(NFT_META_L4PROTO), compare({std::uint8_t{IPPROTO_ICMPV6}}),
           load_header(0, 1, NFT_PAYLOAD_TRANSPORT_HEADER), compare({type})}};
}

}  // namespace

Word is_router_solicitation() { return is_icmpv6("nd-router-solicit", 133); }
Word is_neighbour_solicitation() { return is_icmpv6("nd-neighbor-solicit", 135); }

Word not_from_interfaces(const std::string& beginning) {
  return {fmt::format("iifname != \"{}*\"", beginning),
          {load_meta(NFT_META_IIFNAME), compare({beginning.begin(), beginning.end()}, false)}};
}

Word to_interface(const std::string& name) {
  ByteList padded(name.begin(), name.end());
  padded.resize(IFNAMSIZ);
  return {fmt::format("oifname \"{}\"", name), {load_meta(NFT_META_OIFNAME), compare(std::move(padded))}};
}

Word count_in(const std::string& counter) {
  return {fmt::format("counter name \"{}\"", counter),
          {{"objref", [counter](Message& message) {
              put_number(message, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
              message.put(Attribute<std::string>{NFTA_OBJREF_IMM_NAME}, counter);
            }}}};
}

Word count_source_in(const std::string& set) {
  return {fmt::format("add @{} {{ ip saddr counter }}", set),
          {load_source(IpFamily::v4),
           {"dynset",
            [set](Message& message) {
              message.put(Attribute<std::string>{NFTA_DYNSET_SET_NAME}, set);
              put_number(message, NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
              put_number(message, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
              message.nest(Attribute<Nested>{NFTA_DYNSET_EXPR},
                           [&] { message.put(Attribute<std::string>{NFTA_EXPR_NAME}, "counter"); });
            }}},
          IpFamily::v4};
}

namespace {

constexpr std::uint64_t packets_a_minute = 12;
constexpr std::uint32_t packets_at_once = 10;

void put_limit(Message& message) {
  message.put(Attribute<std::uint64_t>{NFTA_LIMIT_RATE}, htobe64(packets_a_minute));
  message.put(Attribute<std::uint64_t>{NFTA_LIMIT_UNIT}, htobe64(60));
  put_number(message, NFTA_LIMIT_BURST, packets_at_once);
  put_number(message, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
  put_number(message, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

}  // namespace

Word too_many_of_interface(const std::string& set) {
  return {fmt::format("update @{} {{ iif limit rate over {}/minute burst {} packets }}", set,
                      packets_a_minute, packets_at_once),
          {load_meta(NFT_META_IIF), {"dynset", [set](Message& message) {
                                       message.put(Attribute<std::string>{NFTA_DYNSET_SET_NAME}, set);
                                       put_number(message, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
                                       put_number(message, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
                                       message.nest(Attribute<Nested>{NFTA_DYNSET_EXPR}, [&] {
                                         message.put(Attribute<std::string>{NFTA_EXPR_NAME}, "limit");
                                         message.nest(Attribute<Nested>{NFTA_EXPR_DATA},
                                                      [&] { put_limit(message); });
                                       });
                                     }}}};
}

Word masquerade() {
  return {"masquerade fully-random", {{"masq", [](Message& message) {
                                         put_number(message, NFTA_MASQ_FLAGS,
                                                    NF_NAT_RANGE_PROTO_RANDOM_FULLY);
                                       }}}};
}

Word drop() { return {"drop", {verdict(NF_DROP)}}; }
Word go_back() { return {"return", {verdict(NFT_RETURN)}}; }

}  // namespace onlink::nft
