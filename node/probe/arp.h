// SPDX-License-Identifier: Apache-2.0
// Asks by ARP (RFC 826) who has an address on a link, to find two machines with one address. IPv4 only: for IPv6 the
// kernel itself checks for duplicates before it uses an address (RFC 4862). Changes nothing on this host.
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

// The MACs that answer each question, in order; empty: none did within 200 ms, or the question could not be sent. In
// the network namespace of the calling thread. Throws Failure; needs CAP_NET_RAW.
std::vector<std::set<MacAddress>> ask_who_has(std::span<const ArpQuestion> questions);

// "02:00:00:00:00:01 and 02:00:00:00:00:02"
std::string to_string(const std::set<MacAddress>& macs);

}  // namespace onlink::node
