// SPDX-License-Identifier: Apache-2.0
#include "nft/conditions.h"

#include <endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/udp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Nested;
using netlink::parts_of;
namespace {

struct Place {
  std::uint32_t key;
  Field field;
  bool by_index = false;
};
constexpr Place meta_fields[] = {
    {NFT_META_NFPROTO, Field::family},   {NFT_META_PROTOCOL, Field::ether_type},
    {NFT_META_L4PROTO, Field::protocol}, {NFT_META_IIFNAME, Field::in},
    {NFT_META_OIFNAME, Field::out},      {NFT_META_IIF, Field::in, true},
    {NFT_META_OIF, Field::out, true},    {NFT_META_MARK, Field::mark},
};
constexpr Place connection_fields[] = {
    {NFT_CT_STATE, Field::state},
    {NFT_CT_STATUS, Field::status},
};
// By offset. No two of them at one place: what another protocol has there is a field that these packets do not have.
constexpr Place network_header[] = {
    {offsetof(iphdr, protocol), Field::protocol}, {offsetof(ipv6hdr, nexthdr), Field::protocol},
    {offsetof(iphdr, saddr), Field::source_v4},   {offsetof(iphdr, daddr), Field::destination_v4},
    {offsetof(ipv6hdr, saddr), Field::source_v6}, {offsetof(ipv6hdr, daddr), Field::destination_v6},
};

Condition found_in(std::span<const Place> places, std::uint32_t key) {
  for (const Place& place : places)
    if (place.key == key) return {place.field, place.by_index};
  return {};
}

Condition load_payload(std::uint32_t base, std::uint32_t offset) {
  if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == offsetof(udphdr, dest)) return {Field::port};
  return base == NFT_PAYLOAD_NETWORK_HEADER ? found_in(network_header, offset) : Condition();
}

// A mask of the first bits is a range: values that differ in the others.
bool is_prefix(const std::string& mask) {
  const auto other = std::find_if(mask.begin(), mask.end(), [](char byte) { return byte != '\xff'; });
  if (other == mask.end()) return true;
  const auto rest = static_cast<unsigned>(static_cast<std::uint8_t>(~*other));
  return (rest & (rest + 1)) == 0 && std::all_of(other + 1, mask.end(), [](char byte) { return byte == 0; });
}

// Reads the expressions of one rule, in their order.
class Reader {
 public:
  void read(const std::string& name, const Attributes& data) {
    if (name == "meta")
      data.bytes(NFTA_META_SREG).empty()
          ? load(found_in(meta_fields, number_of(data, NFTA_META_KEY, UINT32_MAX)))
          : use();
    else if (name == "ct")
      data.bytes(NFTA_CT_SREG).empty()
          ? load(found_in(connection_fields, number_of(data, NFTA_CT_KEY, UINT32_MAX)))
          : use();
    else if (name == "payload")
      data.bytes(NFTA_PAYLOAD_SREG).empty() ? load_from_packet(data) : use();
    else if (name == "bitwise")
      take_mask(data);
    else if (name == "cmp")
      compare(data);
    else if (name == "range")
      ask({{data_of(data, NFTA_RANGE_FROM_DATA), data_of(data, NFTA_RANGE_TO_DATA)}}, "",
          number_of(data, NFTA_RANGE_OP, NFT_RANGE_EQ) == NFT_RANGE_NEQ);
    else if (name == "lookup")
      look_up(data);
    else if (name == "immediate")
      decide(verdict_in(data, NFTA_IMMEDIATE_DATA));
    else if (name == "match")
      match(text_of(data, NFTA_MATCH_NAME), data.bytes(NFTA_MATCH_INFO));
    else if (name == "target")
      decide_as_iptables(text_of(data, NFTA_TARGET_NAME));
    else if (name == "reject")
      decide({Verdict::Kind::drop});
    else if (name == "queue")
      decide({Verdict::Kind::accept});  // by a program
    else if (name != "byteorder" && !asks_nothing(name, data))
      load_unknown();
  }

  JudgedRule rule;

 private:
  static bool asks_nothing(const std::string& name, const Attributes& data) {
    constexpr std::array<std::string_view, 5> statements = {"counter", "log", "notrack", "last",
                                                            "flow_offload"};
    return std::find(statements.begin(), statements.end(), name) != statements.end() ||
           (name == "objref" && number_of(data, NFTA_OBJREF_IMM_TYPE, 0) == NFT_OBJECT_COUNTER);
  }

  void load(Condition field) {
    loaded_ = std::move(field);
    base_ = NFT_PAYLOAD_LL_HEADER;
    // Of several fields that are compared together it is not known what is asked.
    if (++loads_ > 1) loaded_ = {};
  }
  void use() { loads_ = 0; }

  void load_from_packet(const Attributes& data) {
    const auto base = number_of(data, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
    offset_ = number_of(data, NFTA_PAYLOAD_OFFSET, 0);
    load(load_payload(base, offset_));
    base_ = base;
  }

  // An expression of its own, or one that another one compares.
  void load_unknown() {
    rule.conditions.emplace_back();
    loaded_ = {};
    use();
  }

  void take_mask(const Attributes& data) {
    loaded_.mask = data_of(data, NFTA_BITWISE_MASK);
    const std::string flipped = data_of(data, NFTA_BITWISE_XOR);
    if (loaded_.mask.empty() ||
        std::any_of(flipped.begin(), flipped.end(), [](char byte) { return byte != 0; }))
      loaded_ = {};
  }

  void compare(const Attributes& data) {
    const std::string value = data_of(data, NFTA_CMP_DATA);
    switch (number_of(data, NFTA_CMP_OP, NFT_CMP_EQ)) {
      case NFT_CMP_EQ:
        return ask_all(value);
      case NFT_CMP_NEQ:
        return ask({{value, value}}, "", true);
      case NFT_CMP_LT:
        return ask({{value, ""}}, "", true);
      case NFT_CMP_LTE:
        return ask({{"", value}}, "", false);
      case NFT_CMP_GT:
        return ask({{"", value}}, "", true);
      case NFT_CMP_GTE:
        return ask({{value, ""}}, "", false);
      default:
        return load_unknown();
    }
  }

  // nft compares neighbouring addresses of a header in one go.
  void ask_all(std::string value) {
    constexpr std::uint32_t width = 4;
    while (loaded_.field == Field::source_v4 && value.size() > width && loaded_.mask.empty()) {
      ask({{value.substr(0, width), value.substr(0, width)}}, "", false);
      value.erase(0, width);
      loaded_ = load_payload(base_, offset_ += width);
    }
    ask({{value, value}}, "", false);
  }

  void ask(std::vector<Values> values, const std::string& set, bool is_negated) {
    Condition asked = loaded_;
    asked.is_negated = is_negated;
    asked.set = set;
    if (!values.empty() && values[0].first == values[0].last && is_prefix(asked.mask))
      for (std::string& last = values[0].last; !asked.mask.empty(); asked.mask.pop_back())
        if (const std::size_t at = asked.mask.size() - 1; at < last.size())
          last[at] = static_cast<char>(last[at] | ~asked.mask[at]);
    asked.values = std::move(values);
    rule.conditions.push_back(std::move(asked));
    use();
  }

  void look_up(const Attributes& data) {
    ask({}, text_of(data, NFTA_LOOKUP_SET), (number_of(data, NFTA_LOOKUP_FLAGS, 0) & NFT_LOOKUP_F_INV) != 0);
    const auto target = data.get(Attribute<std::uint32_t>{NFTA_LOOKUP_DREG});
    if (!target) return;
    if (be32toh(*target) == NFT_REG_VERDICT) {
      rule.map.push_back(std::move(rule.conditions.back()));
      rule.conditions.pop_back();
    } else {
      loaded_ = {};  // it is found for some packets, and what is found may be compared
      rule.conditions.back() = {};
    }
  }

  void decide(Verdict verdict) {
    if (verdict.kind != Verdict::Kind::none) rule.verdict = std::move(verdict);
  }

  void decide_as_iptables(const std::string& target) {
    if (target == "REJECT") decide({Verdict::Kind::drop});
    if (target == "NFQUEUE") decide({Verdict::Kind::accept});
  }

  // A match of iptables that nft has no words for.
  void match(const std::string& name, std::span<const std::uint8_t> info) {
    constexpr std::array<std::string_view, 5> ports = {"tcp", "udp", "multiport", "icmp", "icmp6"};
    if (name == "comment") return;
    Condition condition;
    if (std::find(ports.begin(), ports.end(), name) != ports.end())
      condition = {Field::some_port, false, {{"\x01", "\x01"}}};
    else if (name == "conntrack")
      condition = of_connection(info);
    else if (name == "mark")
      condition = of_mark(info);
    rule.conditions.push_back(std::move(condition));
  }

  template <class Info>
  static std::optional<Info> copy(std::span<const std::uint8_t> bytes) {
    Info info{};
    if (bytes.size() < sizeof info) return std::nullopt;
    std::memcpy(&info, bytes.data(), sizeof info);
    return info;
  }

  static Condition of_connection(std::span<const std::uint8_t> bytes) {
    const auto info = copy<xt_conntrack_mtinfo3>(bytes);
    if (!info || (info->match_flags & ~XT_CONNTRACK_STATE_ALIAS) != XT_CONNTRACK_STATE) return {};
    const bool is_negated = (info->invert_flags & XT_CONNTRACK_STATE) != 0;
    return {Field::state, false, {Values::word(0)}, "", Values::word(info->state_mask).first, !is_negated};
  }
  static Condition of_mark(std::span<const std::uint8_t> bytes) {
    const auto info = copy<xt_mark_mtinfo1>(bytes);
    if (!info) return {};
    return {Field::mark,      false, {Values::word(info->mark)}, "", Values::word(info->mask).first,
            info->invert != 0};
  }

  Condition loaded_;
  int loads_ = 0;  // that nothing has used yet
  std::uint32_t base_ = NFT_PAYLOAD_LL_HEADER;
  std::uint32_t offset_ = 0;
};

std::optional<JudgedRule> parse_rule(const nlmsghdr& message) {
  Reader reader;
  for (const Attributes& each :
       parts_of<nfgenmsg>(message).attributes.list(Attribute<Nested>{NFTA_RULE_EXPRESSIONS}))
    reader.read(text_of(each, NFTA_EXPR_NAME), each.get(Attribute<Nested>{NFTA_EXPR_DATA}));
  return std::move(reader.rule);
}

}  // namespace

const std::vector<JudgedRule>& TableContent::rules(const std::string& chain) {
  const auto [rules, is_new] = rules_.try_emplace(chain);
  if (!is_new) return rules->second;
  auto request = request_for(NFT_MSG_GETRULE, table_, "list the rules", family_);
  request.put(Attribute<std::string>{NFTA_RULE_CHAIN}, chain);
  return rules->second = socket_.dump<JudgedRule>(request, parse_rule);
}

const std::list<Element>& TableContent::elements(const std::string& set) {
  const auto [elements, is_new] = elements_.try_emplace(set);
  if (!is_new) return elements->second;
  auto listed = list_elements(socket_, family_, table_, set);
  return elements->second = std::move(listed).value_or(std::list<Element>());
}

}  // namespace onlink::nft
