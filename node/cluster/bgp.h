// SPDX-License-Identifier: Apache-2.0
// Key "bgp" of the cluster file: what `onlink-node bird-config` tells a routing daemon. Nothing else uses it,
// and the list of nodes on disk has no password in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"

namespace onlink::node {

// The kernel table of learned routes: unused by default, and easy to remember (our protocol's number).
inline constexpr std::uint32_t default_routes_table = 169;

struct Bgp {
  std::uint32_t as_number = 0;
  std::vector<std::string> reflectors;  // names of nodes; none: every node speaks with every other
  std::optional<IpAddress> cluster_id;  // of the reflectors; nothing: each has its own
  std::string password;                 // TCP MD5 (RFC 2385); empty: none
  std::string password_file;            // instead of it: the first line of this file
  std::uint32_t restart_seconds =
      120;                         // how long others keep the routes of a daemon that is away; 0: not at all
  std::vector<IpPrefix> prefixes;  // believed, with what lies in them; none: the pod subnets of the file
};

// reader: of the object under "bgp". names: of all nodes of the file, to check the reflectors' against.
Bgp read_bgp(const JsonReader& reader, const std::vector<std::string>& names);

// Throws Failure (configuration) if it cannot be a password for BIRD: empty, more than 80 bytes, a quote or a
// control character in it.
void check_password(const std::string& password, const std::string& where);

}  // namespace onlink::node
