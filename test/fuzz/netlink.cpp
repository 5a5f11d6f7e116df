// SPDX-License-Identifier: Apache-2.0
// A datagram of the kernel, as no kernel should send it. The first byte chooses the type of the first
// message.
#include <linux/rtnetlink.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/failure.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "test/fuzz/input.h"

using namespace onlink;

namespace {

void parse(const nlmsghdr& message) {
  if (message.nlmsg_type == NLMSG_ERROR) {
    (void)netlink::parse_refusal(message);
    return;
  }
  if (const auto link = netlink::parse_link(message)) (void)link->ipv4_setting(1);
  if (const auto route = netlink::parse_route(message)) {
    fuzz::require(route->dst.length <= route->dst.address.bits(), "a prefix is no longer than its address");
    fuzz::require(!netlink::to_string(*route, "eth0").empty(), "a route can be printed");
  }
  if (const auto address = netlink::parse_address(message))
    fuzz::require(address->prefix.length <= address->prefix.address.bits(),
                  "a prefix is no longer than its address");
  (void)netlink::parse_neighbour(message);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::uint16_t, 8> types{RTM_NEWLINK, RTM_DELLINK, RTM_NEWROUTE, RTM_DELROUTE,
                                               RTM_NEWADDR, RTM_DELADDR, RTM_NEWNEIGH, NLMSG_ERROR};
  fuzz::Input input(data, size);
  const std::uint16_t type = types[input.byte() % types.size()];
  const std::string body = input.rest();
  // Exactly as large as the message, so that a look beyond its end is seen.
  std::vector<char> bytes(sizeof(nlmsghdr) + body.size());
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = type == NLMSG_ERROR ? NLM_F_ACK_TLVS | NLM_F_CAPPED : 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
  try {
    parse(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
  } catch (const Failure& failure) {
    fuzz::require(failure.what()[0] != '\0', "a message that makes no sense is told as such");
  }
  return 0;
}
