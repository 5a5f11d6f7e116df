// SPDX-License-Identifier: Apache-2.0
// The seed's host A, written down as the facts that read_host would find.
#pragma once

#include <net/if.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "node/cluster/cluster.h"
#include "node/routes/host.h"

namespace onlink::node::test {

inline constexpr const char* own_ip = "172.16.91.201";
inline constexpr const char* peer_ip = "172.16.91.202";

inline IpPrefix prefix(const std::string& text) { return IpPrefix::parse(text).value(); }

inline Cluster seed_cluster(IpipMode mode) {
  Cluster cluster;
  cluster.mode = mode;
  cluster.self = {"A", IpAddress::parse(own_ip), {}, {prefix("10.10.0.0/24")}, {}, {}};
  cluster.peers = {{"B", IpAddress::parse(peer_ip), {}, {prefix("10.10.1.0/24")}, {}, {}}};
  return cluster;
}

inline netlink::Route on_link(std::uint32_t link = 2) {
  netlink::Route route;
  route.dst = prefix("172.16.91.0/24");
  route.link = link;
  route.protocol = RTPROT_KERNEL;
  return route;
}

inline netlink::Route via(const std::string& gateway) {
  netlink::Route route;
  route.dst = prefix("0.0.0.0/0");
  route.gateway = IpAddress::parse(gateway);
  route.link = 2;
  return route;
}

inline void set_path(Host& host, const std::string& address, std::optional<netlink::Route> path) {
  host.paths.insert_or_assign(IpAddress::parse(address).value(), std::move(path));
}

inline Host seed_host() {
  Host host;
  netlink::Link eth0;
  eth0.index = 2;
  eth0.name = "eth0";
  eth0.mtu = 1500;
  eth0.flags = IFF_UP | IFF_RUNNING;
  netlink::Link tunnel;
  tunnel.index = 3;
  tunnel.name = tunnel_name;
  tunnel.kind = "ipip";
  tunnel.mtu = 1480;
  tunnel.ipip = netlink::IpipSettings{};
  host.links = {{2, eth0}, {3, tunnel}};
  host.tunnel = tunnel;
  netlink::Route local = on_link();
  local.type = RTN_LOCAL;
  set_path(host, own_ip, local);
  set_path(host, peer_ip, on_link());
  return host;
}

}  // namespace onlink::node::test
