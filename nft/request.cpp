// SPDX-License-Identifier: Apache-2.0
#include "nft/request.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Message;
using netlink::Nested;
namespace {

std::uint16_t message_type(std::uint16_t type) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

}  // namespace

Message request_for(std::uint16_t type, const std::string& table, const std::string& what,
                    std::uint8_t family) {
  Message request =
      Message::question(message_type(type), [what, table] { return what + " of nftables table " + table; });
  request.header<nfgenmsg>().nfgen_family = family;
  // The table's name is the first attribute for everything in a table.
  request.put(Attribute<std::string>{NFTA_TABLE_NAME}, table);
  return request;
}

Message list_all(std::uint16_t type, const char* what, std::uint8_t family) {
  Message request(message_type(type), 0, [what] { return std::string("list the ") + what + " of nftables"; });
  request.header<nfgenmsg>().nfgen_family = family;
  return request;
}

std::uint32_t number_of(const Attributes& attributes, std::uint16_t type, std::uint32_t otherwise) {
  const auto number = attributes.get(Attribute<std::uint32_t>{type});
  return number ? be32toh(*number) : otherwise;
}

std::string data_of(const Attributes& attributes, std::uint16_t type) {
  const auto value = attributes.get(Attribute<Nested>{type}).bytes(NFTA_DATA_VALUE);
  return {value.begin(), value.end()};
}

std::string text_of(const Attributes& attributes, std::uint16_t type) {
  return attributes.get(Attribute<std::string>{type}).value_or("");
}

void put_number(Message& message, std::uint16_t type, std::uint32_t number) {
  message.put(Attribute<std::uint32_t>{type}, htobe32(number));
}

void put_data(Message& message, std::uint16_t type, std::span<const std::uint8_t> data) {
  message.nest(Attribute<Nested>{type},
               [&] { message.put(Attribute<netlink::Bytes>{NFTA_DATA_VALUE}, data); });
}

// EINVAL: nftables' module is not loaded; EPROTONOSUPPORT: not even the socket's is.
bool is_without_nftables(const Failure& failure) {
  return failure.error() == EINVAL || failure.error() == EPROTONOSUPPORT;
}

}  // namespace onlink::nft
