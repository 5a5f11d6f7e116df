// SPDX-License-Identifier: Apache-2.0
#include "nft/table.h"

#include <endian.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <list>
#include <system_error>
#include <utility>

#include "netlink/sysctl.h"
#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Nested;
using netlink::parts_of;
using netlink::Socket;
namespace {

std::optional<std::pair<std::string, Count>> parse_counter(const nlmsghdr& message,
                                                           const std::string& table) {
  const auto attributes = parts_of<nfgenmsg>(message).attributes;
  const auto data = attributes.get(Attribute<Nested>{NFTA_OBJ_DATA});
  if (data.empty() || number_of(attributes, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC) != NFT_OBJECT_COUNTER ||
      text_of(attributes, NFTA_OBJ_TABLE) != table)
    return std::nullopt;
  return std::pair(text_of(attributes, NFTA_OBJ_NAME), read_count(data));
}

std::string in_hexadecimal(const IpAddress& address) {
  std::string text = "0x";
  for (const std::uint8_t byte : address.bytes()) text += fmt::format("{:02x}", byte);
  return text;
}

IpAddress address_in(const std::string& bytes) {
  return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

// Of an address, or of a pair: the sender, and then the address. Nothing of what is neither.
std::optional<AddressRange> range_of(const Values& values, IpFamily sender) {
  const std::size_t all = values.first.size();
  const std::size_t head = all == 4 || all == 16 ? 0 : bytes_of(sender);
  if ((all != head + 4 && all != head + 16) || (!values.last.empty() && values.last.size() != all))
    return std::nullopt;
  const IpAddress first = address_in(values.first.substr(head));
  AddressRange range{first, values.last.empty() ? IpPrefix::any(first.family()).last()
                                                : address_in(values.last.substr(head))};
  if (head != 0) range.sender = address_in(values.first.substr(0, head));
  return range;
}

bool is_no_table(const Failure& refusal) { return refusal.error() == ENOENT; }

std::optional<std::uint32_t> parse_flags(const nlmsghdr& message) {
  return number_of(parts_of<nfgenmsg>(message).attributes, NFTA_TABLE_FLAGS, 0);
}

// Nothing where there is no such table.
std::optional<std::uint32_t> flags_of(Socket& socket, const std::string& table) {
  return socket.find(request_for(NFT_MSG_GETTABLE, table, "look at the flags"), parse_flags, is_no_table);
}

// Without the header: it contains the generation of the rules.
std::string content_of(const nlmsghdr& message, const std::string& table) {
  const auto [header, attributes] = parts_of<nfgenmsg>(message);
  if (text_of(attributes, NFTA_TABLE_NAME) != table) return "";
  return {reinterpret_cast<const char*>(&header + 1), message.nlmsg_len - NLMSG_HDRLEN - sizeof header};
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
  const auto elements = list_elements(socket, NFPROTO_INET, table, set, true);
  if (!elements) return std::nullopt;
  std::vector<AddressRange> ranges;
  for (const Element& element : *elements)
    if (const auto range = range_of(element.values, sender)) ranges.push_back(*range);
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

bool has_nft_table(const std::string& name) try {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  return flags_of(socket, name).has_value();
} catch (const Failure& failure) {
  if (is_without_nftables(failure)) return false;
  throw;
}

std::string ruleset_generation() {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  const auto netns = socket.netns_cookie();
  if (!netns) return "";
  std::optional<std::uint32_t> generation;
  try {
    socket.execute(list_all(NFT_MSG_GETGEN, "generation"), [&](const nlmsghdr& answer) {
      generation = parts_of<nfgenmsg>(answer).attributes.get(Attribute<std::uint32_t>{NFTA_GEN_ID});
    });
  } catch (const Failure&) {
    return "";  // the caller then reads the rules themselves
  }
  const auto boot = netlink::read_sysctl("kernel/random/boot_id");
  if (!generation || !boot) return "";
  return fmt::format("{} {} {}", *boot, *netns, be32toh(*generation));
}

std::string next_generation(const std::string& generation) {
  const auto number = generation.find_last_of(' ') + 1;
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(generation.data() + number, generation.data() + generation.size(), value);
  if (number == 0 || error != std::errc{}) return "";
  return generation.substr(0, number) + std::to_string(value + 1 != 0 ? value + 1 : 1);
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
  for (const Element& element :
       list_elements(socket, NFPROTO_INET, table, senders).value_or(std::list<Element>()))
    if (element.count) counts.senders.emplace(address_in(element.values.first), *element.count);
  return counts;
}

bool is_awake(Socket& socket, const std::string& table) {
  const auto flags = flags_of(socket, table);
  return flags && (*flags & NFT_TABLE_F_DORMANT) == 0;
}

std::vector<Chain> list_chains(Socket& socket) {
  return socket.dump<Chain>(list_all(NFT_MSG_GETCHAIN, "chains", NFPROTO_INET), [](const nlmsghdr& message) {
    const auto attributes = parts_of<nfgenmsg>(message).attributes;
    return std::optional(Chain{text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME),
                               number_of(attributes, NFTA_CHAIN_USE, 0)});
  });
}

}  // namespace onlink::nft
