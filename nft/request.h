// SPDX-License-Identifier: Apache-2.0
// Requests about tables, and how attributes are read and put: nftables has its numbers in network order.
#pragma once

#include <linux/netfilter.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/failure.h"
#include "netlink/message.h"

namespace onlink::nft {

// type: NFT_MSG_*. family: NFPROTO_*.
netlink::Message request_for(std::uint16_t type, const std::string& table, const std::string& what,
                             std::uint8_t family = NFPROTO_INET);
// Without a table: all of that type.
netlink::Message list_all(std::uint16_t type, const char* what, std::uint8_t family = NFPROTO_UNSPEC);

std::uint32_t number_of(const netlink::Attributes& attributes, std::uint16_t type, std::uint32_t otherwise);
// The NFTA_DATA_VALUE inside; empty where there is none.
std::string data_of(const netlink::Attributes& attributes, std::uint16_t type);
std::string text_of(const netlink::Attributes& attributes, std::uint16_t type);

void put_number(netlink::Message& message, std::uint16_t type, std::uint32_t number);
// Inside, as NFTA_DATA_VALUE.
void put_data(netlink::Message& message, std::uint16_t type, std::span<const std::uint8_t> data);

// Whether a request was refused because the kernel has no nftables at all.
bool is_without_nftables(const Failure& failure);

}  // namespace onlink::nft
