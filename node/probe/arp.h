// SPDX-License-Identifier: Apache-2.0
// Who has an address on a link, by ARP (RFC 826), and so whether two machines have it. IPv4 only: for IPv6 the kernel asks
// itself before it uses an address (RFC 4862). Changes nothing here.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"

namespace onlink::node {

struct ArpQuestion {
  IpAddress address;
  std::uint32_t link = 0;
  MacAddress mac = {};                 // of that link: the sender's
  std::optional<IpAddress> from = {};  // nothing: a probe, from which nobody learns (RFC 5227, section 2.1.1)
};

// The MACs that answer for each, in their order; empty: nobody did within 200 ms, or it could not be asked. In the network
// namespace of the calling thread. Throws Failure; needs CAP_NET_RAW.
std::vector<std::set<MacAddress>> ask_who_has(std::span<const ArpQuestion> questions);

// "02:00:00:00:00:01 and 02:00:00:00:00:02"
std::string to_string(const std::set<MacAddress>& macs);

}  // namespace onlink::node
