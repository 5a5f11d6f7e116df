// SPDX-License-Identifier: Apache-2.0
// Packets, in the words of rules: what each field of them may have.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ip.h"

namespace onlink::nft {

// What rules ask of a packet, as far as it is told apart.
enum class Field : std::uint8_t {
  other,
  family,
  ether_type,
  protocol,
  port,       // where it goes
  some_port,  // a few ports or ICMP types, it is not told which
  in,         // the names of interfaces
  out,
  source_v4,
  destination_v4,
  source_v6,
  destination_v6,
  state,  // of the connection
  status,
  mark
};

// Bytes as rules compare them, from first to last.
struct Values {
  std::string first, last;

  static Values of(const IpPrefix& prefix);
  static Values interface(const std::string& name);
  static Values interfaces(const std::string& beginning);
  static Values word(std::uint32_t value);  // as registers have it

  auto operator<=>(const Values&) const = default;
};

// The first packets of connections, without a mark. Of a field that is not among them nothing is known.
struct Packets {
  explicit Packets(IpFamily family);

  IpFamily family;
  std::map<Field, std::vector<Values>> fields = {};  // never empty; sorted, and none overlaps another
  bool is_direction = false;  // of connections that work only if all that comes later in it passes, too

  // Without values the field stays unknown.
  void set(Field field, std::vector<Values> values);
  void from(const std::vector<IpPrefix>& networks);  // those of their family
  void to(const std::vector<IpPrefix>& networks);
  void with_protocols(const std::string& protocols);
  void to_port(std::uint16_t port);
  void to_any_port();
  // What comes later in the same direction.
  Packets later() const;
};

}  // namespace onlink::nft
