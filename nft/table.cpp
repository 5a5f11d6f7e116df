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
#include <span>
#include <system_error>
#include <utility>

#include "netlink/sysctl.h"
#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Message;
using netlink::Nested;
using netlink::parts_of;
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
  const auto bytes = element.get(Attribute<Nested>{type}).bytes(NFTA_DATA_VALUE);
  const std::size_t first = sender == IpFamily::v4 ? 4 : 16;
  if (bytes.size() != first + 4 && bytes.size() != first + 16) return std::nullopt;
  return std::pair(IpAddress::from_bytes(bytes.first(first)), IpAddress::from_bytes(bytes.subspan(first)));
}

std::optional<Bound> read_bound(const Attributes& element) {
  const auto address =
      element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY}).get(Attribute<IpAddress>{NFTA_DATA_VALUE});
  const auto flags = be32toh(element.get(Attribute<std::uint32_t>{NFTA_SET_ELEM_FLAGS}).value_or(0));
  if (!address) return std::nullopt;
  return Bound{*address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0};
}

std::optional<Elements> parse_elements(const nlmsghdr& message, IpFamily sender) {
  const auto attributes = parts_of<nfgenmsg>(message).attributes;
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

Count read_count(const Attributes& counter) {
  const auto number = [&](std::uint16_t type) {
    return be64toh(counter.get(Attribute<std::uint64_t>{type}).value_or(0));
  };
  return {number(NFTA_COUNTER_PACKETS), number(NFTA_COUNTER_BYTES)};
}

std::optional<std::pair<std::string, Count>> parse_counter(const nlmsghdr& message,
                                                           const std::string& table) {
  const auto attributes = parts_of<nfgenmsg>(message).attributes;
  const auto data = attributes.get(Attribute<Nested>{NFTA_OBJ_DATA});
  if (data.empty() || number_of(attributes, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC) != NFT_OBJECT_COUNTER ||
      text_of(attributes, NFTA_OBJ_TABLE) != table)
    return std::nullopt;
  return std::pair(text_of(attributes, NFTA_OBJ_NAME), read_count(data));
}

// Elements with a counter each.
using Sender = std::pair<IpAddress, Count>;
std::optional<std::vector<Sender>> parse_senders(const nlmsghdr& message) {
  std::vector<Sender> senders;
  for (const Attributes& element :
       parts_of<nfgenmsg>(message).attributes.list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    const auto address =
        element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY}).get(Attribute<IpAddress>{NFTA_DATA_VALUE});
    const auto counter =
        element.get(Attribute<Nested>{NFTA_SET_ELEM_EXPR}).get(Attribute<Nested>{NFTA_EXPR_DATA});
    if (address && !counter.empty()) senders.emplace_back(*address, read_count(counter));
  }
  return senders;
}

std::string in_hexadecimal(const IpAddress& address) {
  std::string text = "0x";
  for (const std::uint8_t byte : address.bytes()) text += fmt::format("{:02x}", byte);
  return text;
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

bool has_nft_table(const std::string& name) {
  try {
    Socket::open(NETLINK_NETFILTER).execute(request_for(NFT_MSG_GETTABLE, name, "look at the flags"));
    return true;
  } catch (const Failure& failure) {
    if (failure.error() == ENOENT || is_without_nftables(failure)) return false;
    throw;
  }
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

bool is_awake(Socket& socket, const std::string& table) try {
  std::uint32_t flags = 0;
  socket.execute(request_for(NFT_MSG_GETTABLE, table, "look at the flags"), [&](const nlmsghdr& message) {
    flags = number_of(parts_of<nfgenmsg>(message).attributes, NFTA_TABLE_FLAGS, 0);
  });
  return (flags & NFT_TABLE_F_DORMANT) == 0;
} catch (const Failure& failure) {
  if (failure.error() == ENOENT) return false;
  throw;
}

std::vector<Chain> list_chains(Socket& socket) {
  return socket.dump<Chain>(list_all(NFT_MSG_GETCHAIN, "chains", NFPROTO_INET), [](const nlmsghdr& message) {
    const auto attributes = parts_of<nfgenmsg>(message).attributes;
    return std::optional(Chain{text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME),
                               number_of(attributes, NFTA_CHAIN_USE, 0)});
  });
}

}  // namespace onlink::nft
