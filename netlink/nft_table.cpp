// SPDX-License-Identifier: Apache-2.0
#include "netlink/nft_table.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "netlink/nftables.h"

namespace onlink::netlink {
namespace {

struct Bound {
  IpAddress address;
  bool end = false;  // the first address behind an interval
};
using Bounds = std::vector<Bound>;

std::optional<Bounds> parse_elements(const nlmsghdr& message) {
  const nfgenmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  Bounds bounds;
  for (const Attributes& element : attributes.list(Attribute<Nested>{NFTA_SET_ELEM_LIST_ELEMENTS})) {
    const auto key = element.get(Attribute<Nested>{NFTA_SET_ELEM_KEY});
    const auto address = key ? key->get(Attribute<IpAddress>{NFTA_DATA_VALUE}) : std::nullopt;
    const auto flags = be32toh(element.get(Attribute<std::uint32_t>{NFTA_SET_ELEM_FLAGS}).value_or(0));
    if (address) bounds.push_back({*address, (flags & NFT_SET_ELEM_INTERVAL_END) != 0});
  }
  return bounds;
}

IpAddress before(const IpAddress& address) {
  return IpAddress::from_number(address.family(), address.number() - 1);
}

// Each interval lasts to the next bound, whatever that is; the highest one may have none. nft puts an end
// without a start in front of the lowest.
std::vector<AddressRange> ranges_of(Bounds bounds) {
  std::sort(bounds.begin(), bounds.end(), [](const Bound& a, const Bound& b) {
    return a.address != b.address ? a.address < b.address : a.end > b.end;
  });
  std::vector<AddressRange> ranges;
  bool open = false;
  for (const Bound& bound : bounds) {
    if (open) ranges.back().last = before(bound.address);
    open = !bound.end;
    if (open) ranges.push_back({bound.address, IpPrefix::any(bound.address.family()).last()});
  }
  return ranges;
}

Message request_for(std::uint16_t type, const std::string& table, const std::string& what) {
  Message request(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), 0,
                  [what, table] { return what + " of nftables table " + table; });
  request.header<nfgenmsg>().nfgen_family = NFPROTO_INET;
  // The name of the table is the first attribute of all that lies in one.
  request.put(Attribute<std::string>{NFTA_TABLE_NAME}, table);
  return request;
}

// Without the header, in which there is the generation of the rules.
std::string content_of(const nlmsghdr& message, const std::string& table) {
  const nfgenmsg* header = nullptr;
  if (Attributes::of(message, header).get(Attribute<std::string>{NFTA_TABLE_NAME}) != table) return "";
  return {reinterpret_cast<const char*>(header + 1), mnl_nlmsg_get_payload_len(&message) - sizeof *header};
}

}  // namespace

std::string AddressRange::to_string() const {
  for (unsigned length = 0; length < first.bits(); ++length) {
    const IpPrefix prefix{first, static_cast<std::uint8_t>(length)};
    if (AddressRange::of(prefix) == *this) return prefix.to_string();
  }
  return first == last ? first.to_string() : first.to_string() + "-" + last.to_string();
}

std::optional<std::vector<AddressRange>> list_set(Socket& socket, const std::string& table,
                                                  const std::string& set) {
  Message request = request_for(NFT_MSG_GETSETELEM, table, "list set " + set);
  request.put(Attribute<std::string>{NFTA_SET_ELEM_LIST_SET}, set);
  try {
    Bounds bounds;
    for (const Bounds& part : socket.dump<Bounds>(request, parse_elements))
      bounds.insert(bounds.end(), part.begin(), part.end());
    return ranges_of(std::move(bounds));
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

}  // namespace onlink::netlink
