// SPDX-License-Identifier: Apache-2.0
// Echo requests to many hosts in parallel (icmp(7)): who answers, who refuses, which size arrives whole. Changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"

namespace onlink::node {

struct Echo {
  IpAddress to;
  std::uint32_t length = 84;           // bytes of the whole IP packet
  std::optional<IpAddress> from = {};  // IPv4; nothing: the kernel chooses
};

struct EchoResult {
  enum class What : std::uint8_t { answered, silent, refused, unsent } what = What::silent;
  std::int64_t microseconds = 0;  // answered
  IpAddress from = {};            // refused: who says so, in which ICMP message
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0;  // if too large: what fits; 0: not told
  int error = 0;          // unsent: errno; EMSGSIZE: this host itself sends nothing so large

  bool answered() const { return what == What::answered; }
  bool is_too_large() const;
};

struct EchoTimes {
  int tries = 3;
  std::int64_t wait_ms = 600;  // after each try, unless all have answered before
};

class Pinger {
 public:
  // Its sockets stay in the present network namespace of the calling thread. Throws Failure; needs CAP_NET_RAW.
  Pinger();

  // One result for each echo, in order; at most 60,000. whole: with "don't fragment", whatever path MTU was learned.
  std::vector<EchoResult> ask(std::span<const Echo> echoes, bool whole = false, EchoTimes times = {});
  // The identifier of all packets of the next ask(), in network byte order as in the packet.
  std::uint16_t id() const { return id_; }

 private:
  void send(const Echo& echo, std::uint16_t place, EchoResult& result);
  void receive(std::span<const Echo> echoes, std::vector<EchoResult>& results, std::size_t& open);
  void take_reply(std::span<const unsigned char> message, const IpAddress& from, std::span<const Echo> echoes,
                  std::vector<EchoResult>& results, std::size_t& open);
  void take_v4(std::span<const unsigned char> packet, std::span<const Echo> echoes,
               std::vector<EchoResult>& results, std::size_t& open);
  void take_v6(std::span<const unsigned char> message, const IpAddress& from, std::span<const Echo> echoes,
               std::vector<EchoResult>& results, std::size_t& open);

  UniqueFd v4_, v6_;  // v6_: none if the kernel has no IPv6
  std::uint16_t id_;
  std::vector<std::int64_t> sent_;  // CLOCK_MONOTONIC, nanoseconds
};

// An IPv4 packet with an echo in it, to be sent past the kernel's routes and rules (Wire::send).
std::vector<unsigned char> echo_packet(const IpAddress& from, const IpAddress& to, std::uint16_t id);

}  // namespace onlink::node
