// SPDX-License-Identifier: Apache-2.0
#include "node/probe/wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/failure.h"

namespace onlink::node {
namespace {

IpAddress address_at(std::span<const unsigned char> bytes, std::size_t at) {
  return IpAddress::from_bytes(bytes.subspan(at, 4));
}

std::uint32_t number_at(std::span<const unsigned char> bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return ntohl(number);
}

// RFC 7348: in the UDP packet there are VXLAN's own 8 bytes, then an Ethernet frame.
constexpr std::size_t vxlan_headers = 8 + 8 + ETH_HLEN;

// Takes the headers of ICMP, alone, in IPIP, or in what may be VXLAN on any port: not all of a busy node's traffic.
void attach_filter(const UniqueFd& fd) {
  sock_filter program[] = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),                   // length of the outer header
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),                    // protocol
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 6, 0),  // taken
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_IPIP, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, vxlan_headers + 9),
      BPF_STMT(BPF_JMP | BPF_JA, 1),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 9),  // IPIP
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 200),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    throw system_failure("filter what is seen on the interfaces");
}

constexpr std::size_t not_around = SIZE_MAX;

// The bytes between the outer header and the inner packet, by the outer protocol; the filter passes no others.
std::size_t headers_within(unsigned char protocol) {
  if (protocol == IPPROTO_UDP) return vxlan_headers;
  return protocol == IPPROTO_IPIP ? 0 : not_around;
}

std::optional<Sight> read_sight(std::span<const unsigned char> packet, std::uint16_t id) {
  Sight sight;
  const auto header_of = [](std::span<const unsigned char> bytes) -> std::size_t {
    return bytes.size() < 20 ? 0 : std::size_t{bytes[0] & 0xfu} * 4;
  };
  std::size_t header = header_of(packet);
  if (header == 0) return std::nullopt;
  if (const std::size_t around = headers_within(packet[9]); around != not_around) {
    sight.outer_source = address_at(packet, 12);
    sight.outer_destination = address_at(packet, 16);
    if (packet.size() < header + around) return std::nullopt;
    if (around == vxlan_headers) {
      sight.vxlan_port = static_cast<std::uint16_t>(number_at(packet, header + 2) >> 16);
      sight.vxlan_vni = number_at(packet, header + 12) >> 8;
    }
    packet = packet.subspan(header + around);
    header = header_of(packet);
    if (header == 0) return std::nullopt;
  }
  if (packet.size() < header + 8 || packet[9] != IPPROTO_ICMP) return std::nullopt;
  const auto message = packet.subspan(header);
  if (message[0] == ICMP_DEST_UNREACH && !sight.outer_source) {
    auto quoted = read_sight(message.subspan(8), id);
    if (!quoted) return std::nullopt;
    quoted->refused_by = address_at(packet, 12);
    quoted->refusal = message[1];
    return quoted;
  }
  std::uint16_t its = 0;
  std::memcpy(&its, message.data() + 4, sizeof its);
  if (its != id || (message[0] != ICMP_ECHO && message[0] != ICMP_ECHOREPLY)) return std::nullopt;
  sight.is_reply = message[0] == ICMP_ECHOREPLY;
  sight.source = address_at(packet, 12);
  sight.destination = address_at(packet, 16);
  return sight;
}

}  // namespace

Wire::Wire() : fd_(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (!fd_) throw system_failure("look at the interfaces (needs CAP_NET_RAW)");
  attach_filter(fd_);
  constexpr int buffer = 8 << 20;
  (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  sockaddr_ll all{};
  all.sll_family = AF_PACKET;
  all.sll_protocol = htons(ETH_P_ALL);  // a socket of one protocol does not see what leaves
  if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&all), sizeof all) != 0)
    throw system_failure("look at the interfaces");
}

void Wire::send(std::span<const unsigned char> packet, std::uint32_t link, const MacAddress& to) {
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_IP);
  where.sll_ifindex = static_cast<int>(link);
  where.sll_halen = static_cast<unsigned char>(to.bytes.size());
  std::memcpy(where.sll_addr, to.bytes.data(), to.bytes.size());
  (void)::sendto(fd_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&where),
                 sizeof where);
}

std::vector<Sight> Wire::take(std::uint16_t id) {
  std::vector<Sight> sights;
  unsigned char buffer[256];
  for (;;) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t size =
        ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) break;
    if (from.sll_protocol != htons(ETH_P_IP)) continue;
    auto sight = read_sight({buffer, static_cast<std::size_t>(size)}, id);
    if (!sight) continue;
    sight->is_leaving = from.sll_pkttype == PACKET_OUTGOING;
    sight->is_for_another = from.sll_pkttype == PACKET_OTHERHOST;
    sight->link = static_cast<std::uint32_t>(from.sll_ifindex);
    sights.push_back(*sight);
  }
  return sights;
}

}  // namespace onlink::node
