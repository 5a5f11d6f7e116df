// SPDX-License-Identifier: Apache-2.0
#include "nft/table.h"

#include <endian.h>
#include <fmt/format.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/udp.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "nft/generation.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Message;
using netlink::Nested;
using netlink::Socket;
namespace {

struct Bound {
  IpAddress address;
  bool end = false;  // the first address after an interval
};
struct Elements {
  std::vector<Bound> bounds;        // of a set of addresses
  std::vector<AddressRange> pairs;  // of a set of pairs: each with both its ends
};

// Two addresses, one after the other.
std::optional<std::pair<IpAddress, IpAddress>> read_pair(const Attributes& element, std::uint16_t type,
                                                         IpFamily sender) {
  const auto key = element.get(Attribute<Nested>{type});
  const auto bytes = key ? key->bytes(NFTA_DATA_VALUE) : std::span<const std::uint8_t>();
  const std::size_t first = sender == IpFamily::v4 ? 4 : 16;
  if (bytes.size() != first + 4 && bytes.size() != first + 16) return std::nullopt;
  return std::pair(IpAddress::from_bytes(bytes.first(first)), IpAddress::from_bytes(bytes.subspan(first)));
}

std::optional<Bound> read_bound(const Attributes& element) {
  const auto key = element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY});
  const auto address = key ? key->get(Attribute<IpAddress>{NFTA_DATA_VALUE}) : std::nullopt;
  const auto flags = be32toh(element.get(Attribute<std::uint32_t>{NFTA_SET_ELEM_FLAGS}).value_or(0));
  if (!address) return std::nullopt;
  return Bound{*address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0};
}

std::optional<Elements> parse_elements(const nlmsghdr& message, IpFamily sender) {
  const nfgenmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  Elements elements;
  for (const Attributes& element : attributes.list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    if (const auto first = read_pair(element, NFTA_SET_ELEM_KEY, sender)) {
      const auto last = read_pair(element, NFTA_SET_ELEM_KEY_END, sender);
      elements.pairs.push_back({first->second, last ? last->second : first->second, first->first});
      continue;
    }
    if (const auto bound = read_bound(element)) elements.bounds.push_back(*bound);
  }
  return elements;
}

// Each interval lasts to the next bound, whatever its kind; the highest one may have none. nft puts an end without
// a start before the lowest.
std::vector<AddressRange> ranges_of(std::vector<Bound> bounds) {
  std::sort(bounds.begin(), bounds.end(), [](const Bound& a, const Bound& b) {
    return a.address != b.address ? a.address < b.address : a.end > b.end;
  });
  std::vector<AddressRange> ranges;
  bool open = false;
  for (const Bound& bound : bounds) {
    if (open) ranges.back().last = bound.address.previous();
    open = !bound.end;
    if (open) ranges.push_back({bound.address, IpPrefix::any(bound.address.family()).last()});
  }
  return ranges;
}

Message request_for(std::uint16_t type, const std::string& table, const std::string& what,
                    std::uint8_t family = NFPROTO_INET) {
  Message request(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), 0,
                  [what, table] { return what + " of nftables table " + table; });
  request.header<nfgenmsg>().nfgen_family = family;
  // The table's name is the first attribute for everything in a table.
  request.put(Attribute<std::string>{NFTA_TABLE_NAME}, table);
  return request;
}

Message all_chains(std::uint8_t family) {
  Message request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0,
                  [] { return std::string("list the chains of nftables"); });
  request.header<nfgenmsg>().nfgen_family = family;
  return request;
}

std::uint32_t number_of(const Attributes& attributes, std::uint16_t type, std::uint32_t otherwise) {
  const auto number = attributes.get(Attribute<std::uint32_t>{type});
  return number ? be32toh(*number) : otherwise;
}

std::string text_of(const Attributes& attributes, std::uint16_t type) {
  return attributes.get(Attribute<std::string>{type}).value_or("");
}

Count read_count(const Attributes& counter) {
  const auto number = [&](std::uint16_t type) {
    return be64toh(counter.get(Attribute<std::uint64_t>{type}).value_or(0));
  };
  return {number(NFTA_COUNTER_PACKETS), number(NFTA_COUNTER_BYTES)};
}

std::optional<std::pair<std::string, Count>> parse_counter(const nlmsghdr& message,
                                                           const std::string& table) {
  const nfgenmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  const auto data = attributes.get(Attribute<Nested>{NFTA_OBJ_DATA});
  if (!data || number_of(attributes, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC) != NFT_OBJECT_COUNTER ||
      text_of(attributes, NFTA_OBJ_TABLE) != table)
    return std::nullopt;
  return std::pair(text_of(attributes, NFTA_OBJ_NAME), read_count(*data));
}

// Elements with a counter each.
using Sender = std::pair<IpAddress, Count>;
std::optional<std::vector<Sender>> parse_senders(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  std::vector<Sender> senders;
  for (const Attributes& element :
       Attributes::of(message, header).list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    const auto key = element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY});
    const auto address = key ? key->get(Attribute<IpAddress>{NFTA_DATA_VALUE}) : std::nullopt;
    const auto expression = element.get(Attribute<Nested>{NFTA_SET_ELEM_EXPR});
    const auto data = expression ? expression->get(Attribute<Nested>{NFTA_EXPR_DATA}) : std::nullopt;
    if (address && data) senders.emplace_back(*address, read_count(*data));
  }
  return senders;
}

const char* name_of_family(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    default:
      return nullptr;
  }
}

// A chain that packets enter first.
struct BaseChain {
  std::uint8_t family;
  DroppingChain chain;
  bool drops;  // by its policy
};

bool is_of_family(const Packets& packets, std::uint8_t family) {
  return std::any_of(packets.networks.begin(), packets.networks.end(), [&](const IpPrefix& network) {
    return family == NFPROTO_INET || family == (network.address.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6);
  });
}

std::optional<BaseChain> parse_base(const nlmsghdr& message, std::uint32_t hook_number,
                                    const Packets& packets) {
  const nfgenmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  const auto hook = attributes.get(Attribute<Nested>{NFTA_CHAIN_HOOK});
  const char* family = name_of_family(header->nfgen_family);
  if (!hook || family == nullptr || number_of(*hook, NFTA_HOOK_HOOKNUM, 0) != hook_number ||
      !is_of_family(packets, header->nfgen_family))
    return std::nullopt;
  return BaseChain{header->nfgen_family,
                   {family, text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME)},
                   number_of(attributes, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP};
}

using ByteList = std::vector<std::uint8_t>;

// What a rule asks of a packet: that a field of it equals something, or is in a set.
struct Condition {
  Field field = Field::other;
  IpFamily family = IpFamily::v4;     // of an address
  std::optional<unsigned> bits = {};  // how many of its first ones count; nothing: all of the value's
  ByteList value = {};
  std::string set = {};
  bool is_negated = false;
};

struct Looked {
  std::vector<Condition> conditions;
  enum class End { none, drop, accept, leave } end = End::none;  // leave: this chain, perhaps for another
  std::string chain;                                             // the target of a jump or goto
};

Condition load_meta(const Attributes& data) {
  switch (number_of(data, NFTA_META_KEY, NFT_META_LEN)) {
    case NFT_META_NFPROTO:
      return {Field::family};
    case NFT_META_L4PROTO:
      return {Field::protocol};
    case NFT_META_IIFNAME:
    case NFT_META_OIFNAME:
      return {Field::interface};
    default:
      return {};
  }
}

Condition load_payload(const Attributes& data) {
  const auto base = number_of(data, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
  const auto offset = number_of(data, NFTA_PAYLOAD_OFFSET, 0);
  if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == offsetof(udphdr, dest)) return {Field::port};
  if (base != NFT_PAYLOAD_NETWORK_HEADER) return {};
  switch (offset) {
    case offsetof(iphdr, protocol):
      return {Field::protocol};
    case offsetof(iphdr, saddr):
    case offsetof(iphdr, daddr):
      return {Field::address, IpFamily::v4};
    case offsetof(ipv6hdr, saddr):
    case offsetof(ipv6hdr, daddr):
      return {Field::address, IpFamily::v6};
    default:
      return {};
  }
}

ByteList data_of(const Attributes& expression, std::uint16_t type) {
  const auto value = expression.get(Attribute<Nested>{type});
  const auto bytes = value ? value->bytes(NFTA_DATA_VALUE) : std::span<const std::uint8_t>();
  return {bytes.begin(), bytes.end()};
}

unsigned count_bits(const ByteList& mask) {
  unsigned bits = 0;
  for (const std::uint8_t byte : mask) bits += static_cast<unsigned>(std::popcount(byte));
  return bits;
}

void parse_verdict(const Attributes& data, Looked& looked) {
  const auto value = data.get(Attribute<Nested>{NFTA_IMMEDIATE_DATA});
  const auto verdict = value ? value->get(Attribute<Nested>{NFTA_DATA_VERDICT}) : std::nullopt;
  if (!verdict) return;
  const auto code = static_cast<std::int32_t>(number_of(*verdict, NFTA_VERDICT_CODE, 0));
  if (code == NF_DROP) looked.end = Looked::End::drop;
  if (code == NF_ACCEPT) looked.end = Looked::End::accept;
  if (code == NFT_RETURN || code == NFT_GOTO) looked.end = Looked::End::leave;
  looked.chain = text_of(*verdict, NFTA_VERDICT_CHAIN);
}

// Compared with an address, or its first bytes.
AddressRange range_of(const Condition& condition) {
  ByteList bytes = condition.value;
  const std::size_t length = bytes.size() * 8;
  bytes.resize(condition.family == IpFamily::v4 ? 4 : 16);
  const auto bits = static_cast<std::uint8_t>(condition.bits.value_or(length));
  return AddressRange::of({IpAddress::from_bytes(bytes), bits});
}

// Targets and matches are those of iptables.
bool rejects(const std::string& name, const Attributes& data) {
  return name == "reject" || (name == "target" && text_of(data, NFTA_TARGET_NAME) == "REJECT");
}
bool asks_nothing(const std::string& name, const Attributes& data) {
  return name == "counter" || name == "log" ||
         (name == "match" && text_of(data, NFTA_MATCH_NAME) == "comment");
}

std::optional<Looked> parse_looked(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  Looked looked;
  Condition loaded;
  const auto ask = [&](bool is_negated, ByteList value, std::string set) {
    Condition asked = loaded;
    asked.is_negated = is_negated;
    asked.value = std::move(value);
    asked.set = std::move(set);
    looked.conditions.push_back(std::move(asked));
  };
  for (const Attributes& each :
       Attributes::of(message, header).list(Attribute<Nested>{NFTA_RULE_EXPRESSIONS})) {
    const std::string name = text_of(each, NFTA_EXPR_NAME);
    const Attributes data = each.get(Attribute<Nested>{NFTA_EXPR_DATA}).value_or(Attributes({}));
    if (name == "meta") {
      loaded = load_meta(data);
    } else if (name == "payload") {
      loaded = load_payload(data);
    } else if (name == "bitwise") {
      loaded.bits = count_bits(data_of(data, NFTA_BITWISE_MASK));
    } else if (name == "cmp") {
      const auto op = number_of(data, NFTA_CMP_OP, NFT_CMP_EQ);
      if (op != NFT_CMP_EQ && op != NFT_CMP_NEQ) loaded.field = Field::other;
      ask(op == NFT_CMP_NEQ, data_of(data, NFTA_CMP_DATA), "");
    } else if (name == "lookup") {
      ask((number_of(data, NFTA_LOOKUP_FLAGS, 0) & NFT_LOOKUP_F_INV) != 0, {},
          text_of(data, NFTA_LOOKUP_SET));
    } else if (name == "immediate") {
      parse_verdict(data, looked);
    } else if (rejects(name, data)) {
      looked.end = Looked::End::drop;
    } else if (!asks_nothing(name, data)) {
      looked.conditions.emplace_back();
    }
  }
  return looked;
}

// From one message of elements, and the chains that a map leads to.
struct Leads {
  std::vector<ByteList> keys;
  std::vector<Bound> bounds;
  std::vector<std::string> chains;
};
std::optional<Leads> parse_leads(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  Leads leads;
  for (const Attributes& element :
       Attributes::of(message, header).list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    leads.keys.push_back(data_of(element, NFTA_SET_ELEM_KEY));
    if (const auto bound = read_bound(element)) leads.bounds.push_back(*bound);
    const auto data = element.get(Attribute<Nested>{NFTA_SET_ELEM_DATA});
    const auto verdict = data ? data->get(Attribute<Nested>{NFTA_DATA_VERDICT}) : std::nullopt;
    if (std::string chain = verdict ? text_of(*verdict, NFTA_VERDICT_CHAIN) : ""; !chain.empty())
      leads.chains.push_back(std::move(chain));
  }
  return leads;
}

// Walks through a chain and those that it leads to.
class Walk {
 public:
  Walk(Socket& socket, const BaseChain& start, const Packets& packets)
      : socket_(socket), start_(start), packets_(packets) {}

  // Whether what no rule accepts is dropped: by the policy, or by a rule that matches everything.
  bool drops() { return end_of(start_.chain.name, true).value_or(start_.drops); }
  // Whether a rule about them, and nothing else, drops them, and none before it names them.
  bool drops_by_name() const { return drops_by_name_; }
  // Whether another rule names them: somebody has thought of them.
  bool knows() const { return knows_; }

 private:
  // What the conditions of a rule say about the packets.
  struct About {
    bool names = false;      // them, by protocol, port or interface
    bool addresses = false;  // a network with theirs
    bool only = true;        // nothing else
    bool others = true;      // only which packets of others the rule is not for
    bool exactly() const { return only && (names || addresses); }
  };

  Message request(std::uint16_t type, const std::string& what) const {
    return request_for(type, start_.chain.table, what, start_.family);
  }

  // What happens to packets that no rule with a condition takes. True: dropped; false: let through; nothing: they
  // return. surely: all packets come here.
  std::optional<bool> end_of(const std::string& chain, bool surely) {
    const auto [end, is_new] = ends_.try_emplace(chain);
    if (is_new) end->second = walk(chain, surely);
    return end->second;
  }

  // Rules after one that takes everything are never reached, whatever they name.
  std::optional<bool> walk(const std::string& chain, bool surely) {
    Message rules = request(NFT_MSG_GETRULE, "list the rules");
    rules.put(Attribute<std::string>{NFTA_RULE_CHAIN}, chain);
    for (const Looked& rule : socket_.dump<Looked>(rules, parse_looked)) {
      const About about = judge(rule);
      const bool is_drop = rule.end == Looked::End::drop;
      if (about.exactly() && is_drop)
        drops_by_name_ = drops_by_name_ || (surely && !knows_);
      else
        knows_ = knows_ || about.names || about.exactly();
      const bool always = rule.conditions.empty();
      const auto inside =
          rule.chain.empty() ? std::nullopt : end_of(rule.chain, surely && (always || about.exactly()));
      if (about.others && rule.end == Looked::End::accept) return false;
      if (!always && rule.end == Looked::End::leave) surely = false;
      if (!always) continue;
      if (inside || rule.end == Looked::End::leave) return inside;
      if (is_drop) return true;
    }
    return std::nullopt;
  }

  About judge(const Looked& rule) {
    About about;
    for (const Condition& condition : rule.conditions) {
      const bool names = is_named(condition);
      (condition.field == Field::address ? about.addresses : about.names) |= names;
      about.only = about.only && !condition.is_negated && (names || precedes(condition));
      about.others = about.others && condition.is_negated && !names && condition.field == packets_.field;
    }
    return about;
  }

  // What nft puts before a condition about these packets.
  bool precedes(const Condition& condition) const {
    if (condition.is_negated || condition.value.size() != 1) return false;
    if (condition.field == Field::protocol)
      return packets_.field == Field::port && condition.value[0] == IPPROTO_UDP;
    return condition.field == Field::family && is_of_family(packets_, condition.value[0]);
  }

  bool is_named(const Condition& condition) {
    if (!condition.set.empty()) return is_in_set(condition);
    return condition.field == Field::address ? holds_network(range_of(condition))
                                             : is_name(condition.value, condition.field);
  }

  // Names of interfaces are filled with zeros.
  bool is_name(ByteList value, Field field) const {
    if (field != packets_.field) return false;
    if (field == Field::interface) value.erase(std::find(value.begin(), value.end(), 0), value.end());
    return std::equal(value.begin(), value.end(), packets_.name.begin(), packets_.name.end(),
                      [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
  }

  bool holds_network(const AddressRange& range) const {
    return std::any_of(packets_.networks.begin(), packets_.networks.end(), [&](const IpPrefix& network) {
      return range.first <= network.network().address && network.last() <= range.last;
    });
  }

  bool is_in_set(const Condition& condition) {
    Message elements = request(NFT_MSG_GETSETELEM, "list set " + condition.set);
    elements.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, condition.set);
    bool found = false;
    std::vector<Bound> bounds;
    for (const Leads& leads : socket_.dump<Leads>(elements, parse_leads)) {
      for (const ByteList& key : leads.keys) found = found || is_name(key, condition.field);
      for (const std::string& chain : leads.chains) (void)end_of(chain, false);
      bounds.insert(bounds.end(), leads.bounds.begin(), leads.bounds.end());
    }
    // Without an end they are single addresses.
    if (condition.field != Field::address ||
        std::none_of(bounds.begin(), bounds.end(), [](const Bound& bound) { return bound.end; }))
      return found;
    const auto ranges = ranges_of(std::move(bounds));
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const AddressRange& range) { return holds_network(range); });
  }

  Socket& socket_;
  const BaseChain& start_;
  const Packets& packets_;
  std::map<std::string, std::optional<bool>> ends_;  // by chain
  bool drops_by_name_ = false;
  bool knows_ = false;
};

std::string in_hexadecimal(const IpAddress& address) {
  std::string text = "0x";
  for (const std::uint8_t byte : address.bytes()) text += fmt::format("{:02x}", byte);
  return text;
}

// Without the header: it contains the generation of the rules.
std::string content_of(const nlmsghdr& message, const std::string& table) {
  const nfgenmsg* header = nullptr;
  if (Attributes::of(message, header).get(Attribute<std::string>{NFTA_TABLE_NAME}) != table) return "";
  return {reinterpret_cast<const char*>(header + 1), message.nlmsg_len - NLMSG_HDRLEN - sizeof *header};
}

}  // namespace

std::string AddressRange::to_string() const {
  // nft(8) knows this type from `typeof` only: numbers.
  if (sender)
    return fmt::format("{} . {}-{}", sender->to_string(), in_hexadecimal(first), in_hexadecimal(last));
  for (unsigned length = 0; length < first.bits(); ++length) {
    const IpPrefix prefix{first, static_cast<std::uint8_t>(length)};
    if (AddressRange::of(prefix) == *this) return prefix.to_string();
  }
  return first == last ? first.to_string() : first.to_string() + "-" + last.to_string();
}

std::optional<std::vector<AddressRange>> list_set(Socket& socket, const std::string& table,
                                                  const std::string& set, IpFamily sender) {
  Message request = request_for(NFT_MSG_GETSETELEM, table, "list set " + set);
  request.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
  try {
    Elements all;
    const auto parse = [&](const nlmsghdr& message) { return parse_elements(message, sender); };
    for (const Elements& part : socket.dump<Elements>(request, parse)) {
      all.bounds.insert(all.bounds.end(), part.bounds.begin(), part.bounds.end());
      all.pairs.insert(all.pairs.end(), part.pairs.begin(), part.pairs.end());
    }
    if (all.pairs.empty()) return ranges_of(std::move(all.bounds));
    std::sort(all.pairs.begin(), all.pairs.end());
    return std::move(all.pairs);
  } catch (const Failure& failure) {
    if (failure.error() == ENOENT) return std::nullopt;
    throw;
  }
}

std::string rules_of_table(const std::string& table) {
  if (!has_nft_table(table)) return "";
  Socket socket = Socket::open(NETLINK_NETFILTER);
  std::string content;
  const auto add = [&](const nlmsghdr& message) { content += content_of(message, table); };
  socket.execute(request_for(NFT_MSG_GETTABLE, table, "look at the flags"), add);
  for (const std::uint16_t type : {NFT_MSG_GETCHAIN, NFT_MSG_GETRULE})
    for (const std::string& part : socket.dump<std::string>(
             request_for(type, table, "list the rules"),
             [&](const nlmsghdr& message) { return std::optional(content_of(message, table)); }))
      content += part;
  return content;
}

Counts list_counts(const std::string& table, const std::string& senders) {
  Counts counts;
  if (!has_nft_table(table)) return counts;
  Socket socket = Socket::open(NETLINK_NETFILTER);
  using Counter = std::pair<std::string, Count>;
  const auto parse = [&](const nlmsghdr& message) { return parse_counter(message, table); };
  for (auto& counter : socket.dump<Counter>(request_for(NFT_MSG_GETOBJ, table, "list the counters"), parse))
    counts.counters.insert(std::move(counter));
  Message request = request_for(NFT_MSG_GETSETELEM, table, "list set " + senders);
  request.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, senders);
  try {
    for (const auto& part : socket.dump<std::vector<Sender>>(request, parse_senders))
      counts.senders.insert(part.begin(), part.end());
  } catch (const Failure& failure) {
    if (failure.error() != ENOENT) throw;
  }
  return counts;
}

std::vector<Chain> list_chains() try {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  return socket.dump<Chain>(all_chains(NFPROTO_INET), [](const nlmsghdr& message) {
    const nfgenmsg* header = nullptr;
    const auto attributes = Attributes::of(message, header);
    return std::optional(Chain{text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME),
                               number_of(attributes, NFTA_CHAIN_USE, 0)});
  });
} catch (const Failure& failure) {
  if (is_without_nftables(failure)) return {};
  throw;
}

std::vector<DroppingChain> chains_that_drop(std::uint32_t hook, const Packets& packets) try {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  std::vector<DroppingChain> chains;
  const auto parse = [&](const nlmsghdr& message) { return parse_base(message, hook, packets); };
  for (BaseChain& each : socket.dump<BaseChain>(all_chains(NFPROTO_UNSPEC), parse)) {
    Walk walk(socket, each, packets);
    const bool drops = walk.drops();
    each.chain.by_name = walk.drops_by_name();
    if (each.chain.by_name || (drops && !walk.knows())) chains.push_back(each.chain);
  }
  return chains;
} catch (const Failure& failure) {
  if (is_without_nftables(failure)) return {};
  throw;
}

}  // namespace onlink::nft
