// SPDX-License-Identifier: Apache-2.0
#include "nft/transaction.h"

#include <endian.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "netlink/socket.h"
#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Message;
using netlink::Nested;
using netlink::Socket;
namespace {

// nft(8)'s numbers for the types of elements (its datatype.h): it prints by them, the kernel only keeps them.
constexpr std::uint32_t ipv4_addr = 7;
constexpr std::uint32_t ipv6_addr = 8;
constexpr std::uint32_t iface_index = 20;
constexpr std::uint32_t bits_of_a_type = 6;  // of a pair: both types, one after the other
// A pair of IPv6 addresses is the longest, 84 bytes; a message has room for 1024, names and header included.
constexpr std::size_t ranges_of_a_message = 10;

class Writer {
 public:
  explicit Writer(std::string table) : table_(std::move(table)) {}

  void remove_table() {
    // Created first, so that removing a missing table is no error.
    add_table(0);
    add(NFT_MSG_DELTABLE, 0, "remove", NFTA_TABLE_NAME);
  }
  void add_table(std::uint16_t flags) {
    add(NFT_MSG_NEWTABLE, NLM_F_CREATE | flags, "make", NFTA_TABLE_NAME);
  }

  void add_set(const NftSet& set, const Counts& counts) {
    if (set.kind == NftSet::Kind::interfaces) return add_set_of_interfaces(set.name);
    const bool of_pairs = set.kind == NftSet::Kind::pairs;
    const bool of_senders = set.kind == NftSet::Kind::senders;
    const auto type_of = [](IpFamily family) { return family == IpFamily::v4 ? ipv4_addr : ipv6_addr; };
    const std::uint32_t type = type_of(set.family);
    const std::uint32_t length = bytes_of(set.family);
    const std::uint32_t flags = of_senders ? NFT_SET_EVAL : NFT_SET_INTERVAL;
    Message& message = begin_set(set.name, of_pairs ? flags | NFT_SET_CONCAT : flags,
                                 of_pairs ? type << bits_of_a_type | type_of(set.inner) : type,
                                 of_pairs ? length + bytes_of(set.inner) : length);
    const auto describe = [&] {
      if (of_pairs) put_fields(message, {length, bytes_of(set.inner)});
      if (of_senders) put_number(message, NFTA_SET_DESC_SIZE, most_senders);
    };
    if (of_pairs || of_senders) message.nest(Attribute<Nested>{NFTA_SET_DESC}, describe);
    change_elements(set.name, NFT_MSG_NEWSETELEM, set.elements);
    if (!of_senders) return;
    for (const auto& [sender, count] : counts.senders) add_sender(set.name, sender, count);
  }

  void change_elements(const std::string& set, std::uint16_t type, const std::vector<AddressRange>& ranges) {
    const auto part = [&](std::size_t first) {
      Message& message = add_elements(set, type);
      message.nest(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS}, [&] {
        for (std::size_t i = first; i < std::min(first + ranges_of_a_message, ranges.size()); ++i)
          put_range(message, ranges[i]);
      });
    };
    for (std::size_t first = 0; first < ranges.size(); first += ranges_of_a_message) part(first);
  }

  void add_counter(const std::string& counter, const Count& count) {
    Message& message = add(NFT_MSG_NEWOBJ, NLM_F_CREATE, "make counter " + counter, NFTA_OBJ_TABLE);
    message.put(Attribute<std::string>{NFTA_OBJ_NAME}, counter);
    put_number(message, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    message.nest(Attribute<Nested>{NFTA_OBJ_DATA}, [&] { put_count(message, count); });
  }

  void add_chain(const NftChain& chain) {
    Message& message = add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, "make chain " + chain.name, NFTA_CHAIN_TABLE);
    message.put(Attribute<std::string>{NFTA_CHAIN_NAME}, chain.name);
    message.nest(Attribute<Nested>{NFTA_CHAIN_HOOK}, [&] {
      put_number(message, NFTA_HOOK_HOOKNUM, chain.hook_number);
      put_number(message, NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.priority_number));
    });
    put_number(message, NFTA_CHAIN_POLICY, NF_ACCEPT);
    message.put(Attribute<std::string>{NFTA_CHAIN_TYPE}, chain.type);
    for (const Rule& rule : chain.rules) add_rule(chain.name, rule);
  }

  std::vector<Message> take() { return std::move(messages_); }

 private:
  // The key's length is in bytes.
  Message& begin_set(const std::string& name, std::uint32_t flags, std::uint32_t key_type,
                     std::uint32_t key_length) {
    Message& message = add(NFT_MSG_NEWSET, NLM_F_CREATE, "make set " + name, NFTA_SET_TABLE);
    message.put(Attribute<std::string>{NFTA_SET_NAME}, name);
    put_number(message, NFTA_SET_FLAGS, flags);
    put_number(message, NFTA_SET_KEY_TYPE, key_type);
    put_number(message, NFTA_SET_KEY_LEN, key_length);
    put_number(message, NFTA_SET_ID, ++sets_);
    return message;
  }

  void add_set_of_interfaces(const std::string& name) {
    constexpr std::uint64_t timeout_ms = solicitations_minutes * std::uint64_t{60'000};
    Message& message = begin_set(name, NFT_SET_EVAL | NFT_SET_TIMEOUT, iface_index, sizeof(std::uint32_t));
    message.put(Attribute<std::uint64_t>{NFTA_SET_TIMEOUT}, htobe64(timeout_ms));
    message.nest(Attribute<Nested>{NFTA_SET_DESC},
                 [&] { put_number(message, NFTA_SET_DESC_SIZE, most_interfaces); });
  }

  Message& add_elements(const std::string& set, std::uint16_t type) {
    Message& message = add(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
                           "change elements of set " + set, NFTA_SET_ELEM_LIST_TABLE);
    message.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
    return message;
  }

  void add_sender(const std::string& set, const IpAddress& sender, const Count& count) {
    Message& message = add_elements(set, NFT_MSG_NEWSETELEM);
    message.nest(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS}, [&] {
      message.nest(Attribute<Nested>{NFTA_LIST_ELEM}, [&] {
        put_data(message, NFTA_SET_ELEM_KEY, sender.bytes());
        message.nest(Attribute<Nested>{NFTA_SET_ELEM_EXPR}, [&] {
          message.put(Attribute<std::string>{NFTA_EXPR_NAME}, "counter");
          message.nest(Attribute<Nested>{NFTA_EXPR_DATA}, [&] { put_count(message, count); });
        });
      });
    });
  }

  static void put_count(Message& message, const Count& count) {
    message.put(Attribute<std::uint64_t>{NFTA_COUNTER_BYTES}, htobe64(count.bytes));
    message.put(Attribute<std::uint64_t>{NFTA_COUNTER_PACKETS}, htobe64(count.packets));
  }

  static void put_bound(Message& message, const IpAddress& address, bool end) {
    message.nest(Attribute<Nested>{NFTA_LIST_ELEM}, [&] {
      put_data(message, NFTA_SET_ELEM_KEY, address.bytes());
      if (end) put_number(message, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    });
  }

  static void put_fields(Message& message, const std::vector<std::uint32_t>& lengths) {
    message.nest(Attribute<Nested>{NFTA_SET_DESC_CONCAT}, [&] {
      for (const std::uint32_t length : lengths)
        message.nest(Attribute<Nested>{NFTA_LIST_ELEM},
                     [&] { put_number(message, NFTA_SET_FIELD_LEN, length); });
    });
  }

  static void put_pair(Message& message, std::uint16_t type, const IpAddress& sender,
                       const IpAddress& address) {
    std::vector<std::uint8_t> bytes(sender.bytes().begin(), sender.bytes().end());
    bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().end());
    put_data(message, type, bytes);
  }

  // The kernel's intervals exclude their end, and none follows the highest address. Those of pairs are one
  // element each.
  static void put_range(Message& message, const AddressRange& range) {
    if (range.sender) {
      message.nest(Attribute<Nested>{NFTA_LIST_ELEM}, [&] {
        put_pair(message, NFTA_SET_ELEM_KEY, *range.sender, range.first);
        put_pair(message, NFTA_SET_ELEM_KEY_END, *range.sender, range.last);
      });
      return;
    }
    put_bound(message, range.first, false);
    if (range.last != IpPrefix::any(range.last.family()).last()) put_bound(message, range.last.next(), true);
  }

  void add_rule(const std::string& chain, const Rule& rule) {
    Message& message = add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
                           fmt::format("add rule \"{}\" to chain {}", print(rule), chain), NFTA_RULE_TABLE);
    message.put(Attribute<std::string>{NFTA_RULE_CHAIN}, chain);
    put(message, rule);
  }

  Message& add(int type, std::uint16_t flags, const std::string& what, std::uint16_t name_attribute) {
    Message& message = messages_.emplace_back(
        static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
        [what, name = table_] { return fmt::format("{} of nftables table inet {}", what, name); });
    message.header<nfgenmsg>().nfgen_family = NFPROTO_INET;
    message.put(Attribute<std::string>{name_attribute}, table_);
    return message;
  }

  std::string table_;
  std::uint32_t sets_ = 0;
  std::vector<Message> messages_;
};

Message bracket(std::uint16_t type) {
  Message message(type, 0, [] { return std::string("change nftables rules"); });
  message.header<nfgenmsg>().res_id = htobe16(NFNL_SUBSYS_NFTABLES);
  return message;
}

std::optional<Failure> transact(Socket& socket, const Ruleset& ruleset, const TableChange& change,
                                bool commit) {
  std::vector<Message> messages = messages_of(ruleset, change);
  messages.insert(messages.begin(), bracket(NFNL_MSG_BATCH_BEGIN));
  // A batch without an end is checked and then discarded.
  if (commit) messages.push_back(bracket(NFNL_MSG_BATCH_END));
  return socket.execute_whole(messages);
}

}  // namespace

std::vector<Message> messages_of(const Ruleset& ruleset, const TableChange& change) {
  Writer writer(ruleset.table);
  using Whole = TableChange::Whole;
  if (change.whole == Whole::remove || change.whole == Whole::replace) writer.remove_table();
  if (change.whole == Whole::create || change.whole == Whole::replace) {
    const NftTable table = table_of(ruleset);
    writer.add_table(change.whole == Whole::create ? NLM_F_EXCL : 0);
    for (const NftSet& set : table.sets) writer.add_set(set, change.counts);
    for (const std::string& counter : table.counters) {
      const auto before = change.counts.counters.find(counter);
      writer.add_counter(counter, before == change.counts.counters.end() ? Count() : before->second);
    }
    for (const NftChain& chain : table.chains) writer.add_chain(chain);
  }
  for (const auto& [set, remove, add] : change.elements) {
    writer.change_elements(set, NFT_MSG_DELSETELEM, remove);
    writer.change_elements(set, NFT_MSG_NEWSETELEM, add);
  }
  return writer.take();
}

std::optional<Failure> carry_out(Socket& socket, const Ruleset& ruleset, const TableChange& change) {
  return transact(socket, ruleset, change, true);
}

std::optional<Failure> carry_out(const Ruleset& ruleset, const TableChange& change) {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  return carry_out(socket, ruleset, change);
}

std::optional<Failure> try_out(const Ruleset& ruleset, const TableChange& change) {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  return transact(socket, ruleset, change, false);
}

}  // namespace onlink::nft
