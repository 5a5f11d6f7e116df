// SPDX-License-Identifier: Apache-2.0
// The configuration of the `onlink` plugin: one network's JSON, with what the runtime adds to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "cni/request.h"
#include "ipam/config.h"

namespace onlink::plugin {

inline constexpr std::uint32_t lowest_ipv6_mtu = 1280;

enum class LogLevel { error, info, debug };

struct NetConf {
  std::optional<std::uint32_t> mtu;  // nothing: chosen at ADD
  IpAddress gateway4;                // "gateway4", default 169.254.1.1
  IpAddress gateway6;                // "gateway6", default the link-local address of host_mac
  MacAddress host_mac;               // "hostMAC", default ee:ee:ee:ee:ee:ee
  std::string host_interface_prefix = "onl";
  bool host_neighbour_learned = false;     // "hostNeighbour": "permanent" (default) or "learned"
  std::optional<bool> is_default_gateway;  // nothing: yes, for a family that the IPAM gives no routes
  // The first of runtimeConfig.mac, the pod's annotation, args.cni.mac and CNI_ARGS MAC.
  std::optional<MacAddress> mac;
  cni::Dns dns;            // runtimeConfig.dns, else "dns"; empty: the IPAM's
  bool ip_forward = true;  // turn on forwarding where it is off
  bool ip_masq = false;
  std::string run_dir = ipam::default_run_dir;  // of "ipam": where onlink-node publishes the MTU
  std::vector<std::string> remarks;             // unknown keys: a misspelt one is ignored like any other
  std::string log_file;
  LogLevel log_level = LogLevel::info;
  std::string ipam_type;
  std::optional<ipam::Config> ipam;  // where ipam_type is onlink-ipam, which runs in this process

  const IpAddress& gateway(IpFamily family) const { return family == IpFamily::v4 ? gateway4 : gateway6; }
};

// The readable part of a configuration, and what is wrong with the rest: for DEL and GC, which work with what
// is usable (an attachment does not stay because someone has broken its network's MTU since).
struct Parsed {
  NetConf config;
  Problems problems;       // of the plugin's own keys
  Problems ipam_problems;  // of the IPAM's: with any, addresses cannot be given back
};
Parsed read_config(const cni::Request& request);

// Throws one Failure (configuration) that lists every problem, the IPAM's included. Unknown keys are
// accepted, with a remark.
NetConf parse_config(const cni::Request& request);

}  // namespace onlink::plugin
