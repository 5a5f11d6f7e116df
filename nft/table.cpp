// SPDX-License-Identifier: Apache-2.0
#include "nft/table.h"

#include <endian.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
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
    const auto key = element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY});
    const auto address = key ? key->get(Attribute<IpAddress>{NFTA_DATA_VALUE}) : std::nullopt;
    const auto flags = be32toh(element.get(Attribute<std::uint32_t>{NFTA_SET_ELEM_FLAGS}).value_or(0));
    if (address) elements.bounds.push_back({*address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0});
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
    case NFPROTO_BRIDGE:
      return "bridge";
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

std::optional<BaseChain> parse_base(const nlmsghdr& message, std::uint32_t hook_number) {
  const nfgenmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  const auto hook = attributes.get(Attribute<Nested>{NFTA_CHAIN_HOOK});
  const char* family = name_of_family(header->nfgen_family);
  if (!hook || family == nullptr || number_of(*hook, NFTA_HOOK_HOOKNUM, 0) != hook_number)
    return std::nullopt;
  return BaseChain{header->nfgen_family,
                   {family, text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME)},
                   number_of(attributes, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP};
}

using ByteList = std::vector<std::uint8_t>;

// What a rule compares with, the sets that it looks into, and what it does with what it matches.
struct Looked {
  std::vector<ByteList> compared;
  std::vector<std::string> sets;
  bool always = true;                                            // it matches everything
  enum class End { none, drop, accept, leave } end = End::none;  // leave: this chain, perhaps for another
  std::string chain;                                             // the target of a jump or goto
};

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

std::optional<Looked> parse_looked(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  Looked looked;
  for (const Attributes& each :
       Attributes::of(message, header).list(Attribute<Nested>{NFTA_RULE_EXPRESSIONS})) {
    const std::string name = text_of(each, NFTA_EXPR_NAME);
    const auto data = each.get(Attribute<Nested>{NFTA_EXPR_DATA});
    const auto value = data ? data->get(Attribute<Nested>{NFTA_CMP_DATA}) : std::nullopt;
    if (name == "cmp" && value) {
      const auto bytes = value->bytes(NFTA_DATA_VALUE);
      looked.compared.emplace_back(bytes.begin(), bytes.end());
    }
    if (name == "lookup" && data) looked.sets.push_back(text_of(*data, NFTA_LOOKUP_SET));
    if (name == "immediate" && data) parse_verdict(*data, looked);
    const bool is_target = name == "target" && data;  // of iptables
    const bool rejects = name == "reject" || (is_target && text_of(*data, NFTA_TARGET_NAME) == "REJECT");
    if (rejects) looked.end = Looked::End::drop;
    if (!rejects && name != "immediate" && name != "counter" && name != "log") looked.always = false;
  }
  return looked;
}

// From one message of elements: the keys, without the zeros that fill a name, and the chains that a map leads to.
struct Leads {
  std::vector<ByteList> names;
  std::vector<std::string> chains;
};
std::optional<Leads> parse_leads(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  Leads leads;
  for (const Attributes& element :
       Attributes::of(message, header).list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    if (const auto key = element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY})) {
      const auto bytes = key->bytes(NFTA_DATA_VALUE);
      leads.names.emplace_back(bytes.begin(), std::find(bytes.begin(), bytes.end(), 0));
    }
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
  Walk(Socket& socket, const BaseChain& start, const std::string& wanted)
      : socket_(socket), start_(start), wanted_(wanted.begin(), wanted.end()) {}

  // Whether what no rule accepts is dropped: by the policy, or by a rule that matches everything.
  bool drops() { return end_of(start_.chain.name).value_or(start_.drops); }
  bool names_it() const { return names_it_; }

 private:
  Message request(std::uint16_t type, const std::string& what) const {
    return request_for(type, start_.chain.table, what, start_.family);
  }

  // What happens to packets that no rule with a condition takes. True: dropped; false: let through; nothing: they
  // return.
  std::optional<bool> end_of(const std::string& chain) {
    const auto [end, is_new] = ends_.try_emplace(chain);
    if (is_new) end->second = walk(chain);
    return end->second;
  }

  // Rules after one that takes everything are never reached, whatever they name.
  std::optional<bool> walk(const std::string& chain) {
    Message rules = request(NFT_MSG_GETRULE, "list the rules");
    rules.put(Attribute<std::string>{NFTA_RULE_CHAIN}, chain);
    for (const Looked& rule : socket_.dump<Looked>(rules, parse_looked)) {
      note_names(rule);
      const auto inside = rule.chain.empty() ? std::nullopt : end_of(rule.chain);
      if (!rule.always) continue;
      if (inside || rule.end == Looked::End::leave) return inside;
      if (rule.end != Looked::End::none) return rule.end == Looked::End::drop;
    }
    return std::nullopt;
  }

  void note_names(const Looked& rule) {
    const auto has = [&](const std::vector<ByteList>& list) {
      return std::find(list.begin(), list.end(), wanted_) != list.end();
    };
    names_it_ = names_it_ || has(rule.compared);
    for (const std::string& set : rule.sets) {
      Message elements = request(NFT_MSG_GETSETELEM, "list set " + set);
      elements.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
      for (const Leads& leads : socket_.dump<Leads>(elements, parse_leads)) {
        names_it_ = names_it_ || has(leads.names);
        for (const std::string& chain : leads.chains) (void)end_of(chain);
      }
    }
  }

  Socket& socket_;
  const BaseChain& start_;
  ByteList wanted_;
  std::map<std::string, std::optional<bool>> ends_;  // by chain
  bool names_it_ = false;
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

std::vector<DroppingChain> chains_that_drop(std::uint32_t hook, const std::string& unless_named) try {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  std::vector<DroppingChain> chains;
  const auto parse = [hook](const nlmsghdr& message) { return parse_base(message, hook); };
  for (const BaseChain& each : socket.dump<BaseChain>(all_chains(NFPROTO_UNSPEC), parse)) {
    Walk walk(socket, each, unless_named);
    if (walk.drops() && !walk.names_it()) chains.push_back(each.chain);
  }
  return chains;
} catch (const Failure& failure) {
  if (is_without_nftables(failure)) return {};
  throw;
}

}  // namespace onlink::nft
