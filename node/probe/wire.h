// SPDX-License-Identifier: Apache-2.0
// Watches our echoes on the interfaces themselves (packet(7)): on the way out after every chain and filter, on the way
// in before them. So it can tell a packet that was dropped here from one that was lost elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"

namespace onlink::node {

// An ICMP echo or its reply, seen on an interface; `outer_*` if it was inside a tunnel's packet. IPv4 only.
struct Sight {
  bool is_leaving = false;
  std::uint32_t link = 0;
  bool is_reply = false;
  bool is_for_another = false;  // came in for another MAC than the interface's
  IpAddress source = {}, destination = {};
  std::optional<IpAddress> outer_source = {}, outer_destination = {};
  std::uint16_t vxlan_port = 0;  // destination port; 0: not in VXLAN
  std::uint32_t vxlan_vni = 0;
  // If an ICMP "destination unreachable" quoted it: who sent that, and its code.
  std::optional<IpAddress> refused_by = {};
  std::uint8_t refusal = 0;
};

class Wire {
 public:
  // Watches all interfaces of the calling thread's network namespace from now on. Throws Failure; needs CAP_NET_RAW.
  Wire();
  // Sends an IPv4 packet to a neighbour on an interface: past routes, chains and NAT. Best effort.
  void send(std::span<const unsigned char> packet, std::uint32_t link, const MacAddress& to);
  // What was seen so far of echoes with this identifier (Pinger::id).
  std::vector<Sight> take(std::uint16_t id);

 private:
  UniqueFd fd_;
};

}  // namespace onlink::node
