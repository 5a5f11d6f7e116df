// SPDX-License-Identifier: Apache-2.0
#include "node/probe/echo.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/failure.h"
#include "base/socket_address.h"

namespace onlink::node {
namespace {

constexpr std::size_t icmp_header = 8;
constexpr int buffer = 8 << 20;  // bytes, each way: hundreds are asked at once
constexpr std::size_t sends_at_once = 32;

UniqueFd open_socket(int family, int protocol) {
  UniqueFd fd(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd && family == AF_INET6 && errno == EAFNOSUPPORT) return fd;
  if (!fd) throw system_failure("open a socket for echo requests (needs CAP_NET_RAW)");
  // Packets to nodes that are off wait three seconds for ARP, and take up buffer that packets to others need.
  for (const auto& [forced, modest] : {std::pair(SO_RCVBUFFORCE, SO_RCVBUF), {SO_SNDBUFFORCE, SO_SNDBUF}})
    if (::setsockopt(fd.get(), SOL_SOCKET, forced, &buffer, sizeof buffer) != 0)
      (void)::setsockopt(fd.get(), SOL_SOCKET, modest, &buffer, sizeof buffer);
  return fd;
}

void set_option(const UniqueFd& fd, int level, int name, int value) {
  if (::setsockopt(fd.get(), level, name, &value, sizeof value) != 0)
    throw system_failure("prepare a socket for echo requests");
}

std::uint16_t read16(std::span<const unsigned char> bytes, std::size_t at) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::uint16_t checksum(std::span<const unsigned char> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += read16(bytes, i);
  if (bytes.size() % 2 != 0) sum += htons(static_cast<std::uint16_t>(bytes.back() << 8));
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// For IPv6 the kernel adds the checksum itself.
void write_echo(std::span<unsigned char> message, bool v4, std::uint16_t id, std::uint16_t place) {
  message[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  const std::uint16_t sequence = htons(place);
  std::memcpy(&message[4], &id, sizeof id);
  std::memcpy(&message[6], &sequence, sizeof sequence);
  if (!v4) return;
  const std::uint16_t sum = checksum(message);
  std::memcpy(&message[2], &sum, sizeof sum);
}

IpAddress address_v4(std::span<const unsigned char> bytes, std::size_t at) {
  return IpAddress::from_bytes(bytes.subspan(at, 4));
}

// The payload of an IPv4 packet of this protocol; empty if the packet is none.
std::span<const unsigned char> payload_v4(std::span<const unsigned char> packet, std::uint8_t protocol) {
  if (packet.size() < sizeof(iphdr) || packet[0] >> 4 != 4 || packet[9] != protocol) return {};
  const std::size_t header = std::size_t{packet[0] & 0xfu} * 4;
  return packet.size() < header ? std::span<const unsigned char>() : packet.subspan(header);
}

void settle(EchoResult& result, const EchoResult& outcome, std::size_t& open) {
  if (result.what != EchoResult::What::silent) return;
  result = outcome;
  --open;
}

// The destination, and the source if one is asked for.
struct Destination {
  explicit Destination(const Echo& echo) : address(echo.to) {
    header.msg_name = address.get();
    header.msg_namelen = address.length;
    if (!echo.from || !echo.to.is_v4()) return;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = IPPROTO_IP;
    message->cmsg_type = IP_PKTINFO;
    message->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo source{};
    std::memcpy(&source.ipi_spec_dst, echo.from->bytes().data(), sizeof source.ipi_spec_dst);
    std::memcpy(CMSG_DATA(message), &source, sizeof source);
  }
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  SocketAddress address;
  msghdr header{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))] = {};
};

}  // namespace

bool EchoResult::is_too_large() const {
  if (what == What::unsent) return error == EMSGSIZE;
  if (what != What::refused) return false;
  return from.is_v4() ? type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED : type == ICMP6_PACKET_TOO_BIG;
}

Pinger::Pinger()
    : v4_(open_socket(AF_INET, IPPROTO_ICMP)),
      v6_(open_socket(AF_INET6, IPPROTO_ICMPV6)),
      id_(static_cast<std::uint16_t>(std::random_device{}())) {}

std::vector<EchoResult> Pinger::ask(std::span<const Echo> echoes, bool whole, EchoTimes times) {
  set_option(v4_, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  if (v6_) set_option(v6_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
  if (v6_) set_option(v6_, IPPROTO_IPV6, IPV6_DONTFRAG, whole ? 1 : 0);
  std::vector<EchoResult> results(echoes.size());
  sent_.assign(echoes.size(), 0);
  std::size_t open = echoes.size();
  for (int i = 0; i < times.tries && open > 0; ++i) {
    for (std::size_t place = 0; place < echoes.size(); ++place) {
      if (place % sends_at_once == 0) receive(echoes, results, open);
      if (results[place].what != EchoResult::What::silent) continue;
      send(echoes[place], static_cast<std::uint16_t>(place), results[place]);
      if (results[place].what != EchoResult::What::silent) --open;
    }
    const std::int64_t end = monotonic_ms() + times.wait_ms;
    for (std::int64_t left = times.wait_ms; open > 0 && left > 0; left = end - monotonic_ms()) {
      pollfd sources[] = {{v4_.get(), POLLIN, 0}, {v6_ ? v6_.get() : -1, POLLIN, 0}};
      if (::poll(sources, std::size(sources), static_cast<int>(left)) < 0 && errno != EINTR)
        throw system_failure("wait for echo replies");
      receive(echoes, results, open);
    }
  }
  ++id_;  // a late answer must not pass for one to the next question
  return results;
}

void Pinger::send(const Echo& echo, std::uint16_t place, EchoResult& result) {
  const bool v4 = echo.to.is_v4();
  const auto fail = [&](int error) {
    result.what = EchoResult::What::unsent;
    result.error = error;
  };
  if (!v4 && !v6_) return fail(EAFNOSUPPORT);
  const std::size_t header = v4 ? sizeof(iphdr) : 40;
  std::vector<unsigned char> message(std::max<std::size_t>(echo.length, header + icmp_header) - header);
  write_echo(message, v4, id_, place);
  Destination destination(echo);
  iovec content{message.data(), message.size()};
  destination.header.msg_iov = &content;
  destination.header.msg_iovlen = 1;
  sent_[place] = monotonic_ns();
  if (::sendmsg(v4 ? v4_.get() : v6_.get(), &destination.header, 0) >= 0) return;
  // A full queue counts as a lost packet: it is tried again.
  if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) fail(errno);
}

void Pinger::receive(std::span<const Echo> echoes, std::vector<EchoResult>& results, std::size_t& open) {
  unsigned char buffer[1024];
  for (const int fd : {v4_.get(), v6_ ? v6_.get() : -1}) {
    if (fd < 0) continue;
    for (;;) {
      sockaddr_in6 from{};
      socklen_t length = sizeof from;
      const ssize_t size =
          ::recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) break;
      const std::span<const unsigned char> bytes(buffer, static_cast<std::size_t>(size));
      if (fd == v4_.get()) {
        take_v4(bytes, echoes, results, open);
      } else {
        take_v6(bytes, IpAddress::from_bytes(from.sin6_addr.s6_addr), echoes, results, open);
      }
    }
  }
}

// Both families have the sequence number and the identifier in the same place.
void Pinger::take_reply(std::span<const unsigned char> message, const IpAddress& from,
                        std::span<const Echo> echoes, std::vector<EchoResult>& results, std::size_t& open) {
  const std::size_t place = ntohs(read16(message, 6));
  if (read16(message, 4) != id_ || place >= echoes.size() || echoes[place].to != from) return;
  settle(results[place],
         {.what = EchoResult::What::answered, .microseconds = (monotonic_ns() - sent_[place]) / 1000}, open);
}

// An ICMP error quotes the packet that it is about; if that went through a tunnel, with the outer header.
void Pinger::take_v4(std::span<const unsigned char> packet, std::span<const Echo> echoes,
                     std::vector<EchoResult>& results, std::size_t& open) {
  const auto message = payload_v4(packet, IPPROTO_ICMP);
  if (message.size() < icmp_header) return;
  const IpAddress from = address_v4(packet, 12);
  if (message[0] == ICMP_ECHOREPLY) return take_reply(message, from, echoes, results, open);
  if (message[0] != ICMP_DEST_UNREACH && message[0] != ICMP_TIME_EXCEEDED) return;
  auto about = message.subspan(icmp_header);
  if (const auto inner = payload_v4(about, IPPROTO_IPIP); !inner.empty()) about = inner;
  const auto ours = payload_v4(about, IPPROTO_ICMP);
  if (ours.size() < icmp_header || ours[0] != ICMP_ECHO || read16(ours, 4) != id_) return;
  const std::size_t place = ntohs(read16(ours, 6));
  if (place >= echoes.size()) return;
  settle(results[place],
         {.what = EchoResult::What::refused,
          .from = from,
          .type = message[0],
          .code = message[1],
          .mtu = message[1] == ICMP_FRAG_NEEDED ? ntohs(read16(message, 6)) : 0u},
         open);
}

void Pinger::take_v6(std::span<const unsigned char> message, const IpAddress& from,
                     std::span<const Echo> echoes, std::vector<EchoResult>& results, std::size_t& open) {
  if (message.size() < icmp_header) return;
  if (message[0] == ICMP6_ECHO_REPLY) return take_reply(message, from, echoes, results, open);
  constexpr std::size_t ipv6_header = 40;
  if (message[0] >= ICMP6_ECHO_REQUEST || message.size() < icmp_header + ipv6_header + icmp_header) return;
  const auto ours = message.subspan(icmp_header + ipv6_header);
  const std::size_t place = ntohs(read16(ours, 6));
  if (ours[0] != ICMP6_ECHO_REQUEST || read16(ours, 4) != id_ || place >= echoes.size()) return;
  std::uint32_t mtu = 0;
  std::memcpy(&mtu, message.data() + 4, sizeof mtu);
  settle(results[place],
         {.what = EchoResult::What::refused,
          .from = from,
          .type = message[0],
          .code = message[1],
          .mtu = message[0] == ICMP6_PACKET_TOO_BIG ? ntohl(mtu) : 0},
         open);
}

std::vector<unsigned char> echo_packet(const IpAddress& from, const IpAddress& to, std::uint16_t id) {
  std::vector<unsigned char> packet(sizeof(iphdr) + icmp_header);
  iphdr header{};
  header.version = 4;
  header.ihl = sizeof header / 4;
  header.tot_len = htons(static_cast<std::uint16_t>(packet.size()));
  header.ttl = IPDEFTTL;
  header.protocol = IPPROTO_ICMP;
  std::memcpy(&header.saddr, from.bytes().data(), sizeof header.saddr);
  std::memcpy(&header.daddr, to.bytes().data(), sizeof header.daddr);
  std::memcpy(packet.data(), &header, sizeof header);
  header.check = checksum(packet);
  std::memcpy(packet.data(), &header, sizeof header);
  write_echo(std::span(packet).subspan(sizeof header), true, id, 0);
  return packet;
}

}  // namespace onlink::node
