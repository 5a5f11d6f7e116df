// SPDX-License-Identifier: Apache-2.0
// Answers of a kernel to questions, dumps and changes, as no kernel should give them.
//   what is asked; then for each message: type, flags, sequence, by how much its length lies, how long its
//   content is (2 bytes), the content
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/socket.h"
#include "nft/table.h"
#include "test/fuzz/input.h"

namespace {

using namespace onlink;

// False where it is the last of its datagram.
bool append_message(std::vector<char>& datagram, fuzz::Input& input) {
  constexpr std::array<std::uint16_t, 13> types{NLMSG_NOOP,
                                                NLMSG_ERROR,
                                                NLMSG_DONE,
                                                NLMSG_OVERRUN,
                                                RTM_NEWLINK,
                                                RTM_DELLINK,
                                                RTM_NEWROUTE,
                                                RTM_DELROUTE,
                                                RTM_NEWADDR,
                                                RTM_DELADDR,
                                                RTM_NEWNEIGH,
                                                RTM_DELNEIGH,
                                                NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM};
  constexpr std::array<unsigned, 4> all_flags{NLM_F_MULTI, NLM_F_DUMP_INTR, NLM_F_CAPPED, NLM_F_ACK_TLVS};
  nlmsghdr header{};
  header.nlmsg_type = types[input.byte() % types.size()];
  const unsigned flags = input.byte();
  for (std::size_t i = 0; i < all_flags.size(); ++i)
    if ((flags >> i & 1) != 0) header.nlmsg_flags |= static_cast<std::uint16_t>(all_flags[i]);
  header.nlmsg_seq = input.byte();
  const auto lie = static_cast<std::int8_t>(input.byte());
  const std::size_t size = input.byte();
  const std::string_view content = input.take(size + std::size_t{256} * (input.byte() % 32));
  header.nlmsg_len = static_cast<std::uint32_t>(static_cast<int>(sizeof header + content.size()) + lie);
  const auto* start = reinterpret_cast<const char*>(&header);
  datagram.insert(datagram.end(), start, start + sizeof header);
  datagram.insert(datagram.end(), content.begin(), content.end());
  datagram.resize(NLMSG_ALIGN(datagram.size()));
  return (flags >> all_flags.size() & 1) == 0;
}

void send_datagram(int fd, const std::vector<char>& datagram) {
  fuzz::require(::send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT) > 0, "the answers are sent");
}

// No more than a socket holds without anybody reading.
void send_answers(int fd, fuzz::Input& input) {
  std::size_t sent = 0;
  for (int count = 0; count < 20 && sent < 48'000 && !input.empty(); ++count) {
    std::vector<char> datagram;
    while (append_message(datagram, input) && !input.empty() && datagram.size() < 20'000) {
    }
    send_datagram(fd, datagram);
    sent += datagram.size();
  }
}

// Whatever was answered, each question gets an end at last: the success of a change, and that of a dump,
// which is asked for 20 times.
void end_everything(int fd) {
  for (std::uint32_t sequence = 1; sequence <= 20; ++sequence) {
    std::vector<char> datagram;
    for (const int type : {NLMSG_ERROR, NLMSG_DONE}) {
      std::array<char, sizeof(nlmsghdr) + sizeof(nlmsgerr)> end{};
      const nlmsghdr header{end.size(), static_cast<std::uint16_t>(type), 0, sequence, 0};
      std::memcpy(end.data(), &header, sizeof header);
      datagram.insert(datagram.end(), end.begin(), end.end());
    }
    send_datagram(fd, datagram);
  }
}

void converse(netlink::Socket& socket, std::uint8_t what) {
  const IpAddress address = *IpAddress::parse("10.10.0.2");
  const std::array<IpAddress, 2> addresses{address, *IpAddress::parse("fd00:10::2")};
  netlink::Route route;
  route.dst = IpPrefix::host(address);
  switch (what % 9) {
    case 0:
      (void)netlink::find_link(socket, "eth0");
      break;
    case 1:
      (void)netlink::list_links(socket, "veth");
      break;
    case 2:
      (void)netlink::list_addresses(socket, 2);
      break;
    case 3:
      (void)netlink::list_routes(socket, {});
      break;
    case 4:
      fuzz::require(netlink::lookup_routes(socket, addresses).size() == addresses.size(),
                    "an answer for each");
      break;
    case 5:
      (void)netlink::find_neighbour(socket, 2, address);
      break;
    case 6:
      (void)nft::list_set(socket, "onlink", "tunnel_sources");
      break;
    case 7: {
      std::vector<netlink::Message> changes(3, netlink::add_route(route, netlink::RouteMode::create, "eth0"));
      const auto outcomes = socket.execute_each(changes, [&](std::size_t place, const nlmsghdr&) {
        fuzz::require(place < changes.size(), "an answer belongs to a message");
      });
      fuzz::require(outcomes.size() == changes.size(), "an outcome for each");
      break;
    }
    default:
      socket.execute(netlink::add_route(route, netlink::RouteMode::create, "eth0"));
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::array<int, 2> ends{};
  fuzz::require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0, "a socket");
  const UniqueFd kernel(ends[1]);
  auto socket = netlink::Socket::adopt(UniqueFd(ends[0]));
  const std::uint8_t what = input.byte();
  send_answers(kernel.get(), input);
  end_everything(kernel.get());
  try {
    converse(socket, what);
  } catch (const Failure& failure) {
    fuzz::require(failure.what()[0] != '\0' && failure.error() >= 0,
                  "a refusal has words, and no errno below 0");
  }
  return 0;
}
