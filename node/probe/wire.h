// SPDX-License-Identifier: Apache-2.0
// What of our echoes is seen on the interfaces themselves (packet(7)): behind every chain and filter on the way out, before them
// on the way in. So a packet that was dropped here is told from one that others have lost.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"

namespace onlink::node {

// An ICMP echo or its reply, seen on an interface; `outer_*` where it was in a packet of a tunnel. IPv4 only.
struct Sight {
  bool is_leaving = false;
  std::uint32_t link = 0;
  bool is_reply = false;
  bool is_for_another = false;  // came in for another MAC than the interface's
  IpAddress source = {}, destination = {};
  std::optional<IpAddress> outer_source = {}, outer_destination = {};
  std::uint16_t vxlan_port = 0;  // to which it was sent; 0: not in VXLAN
  std::uint32_t vxlan_vni = 0;
  // Seen as the quotation of an ICMP "destination unreachable": who says so, and the code.
  std::optional<IpAddress> refused_by = {};
  std::uint8_t refusal = 0;
};

class Wire {
 public:
  // Looks on from now on, at all interfaces of the calling thread's network namespace. Throws Failure; needs CAP_NET_RAW.
  Wire();
  // An IPv4 packet onto an interface, to its neighbour: past routes, chains and NAT. Best effort.
  void send(std::span<const unsigned char> packet, std::uint32_t link, const MacAddress& to);
  // What was seen of echoes with this identifier (Pinger::id) so far.
  std::vector<Sight> take(std::uint16_t id);

 private:
  UniqueFd fd_;
};

}  // namespace onlink::node
