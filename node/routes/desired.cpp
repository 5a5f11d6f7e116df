// SPDX-License-Identifier: Apache-2.0
#include "node/routes/desired.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <utility>

#include "netlink/route_key.h"

namespace onlink::node {
namespace {

constexpr std::uint32_t ipip_header = 20;

const netlink::Link* link_of(const Host& host, std::uint32_t index) {
  const auto found = host.links.find(index);
  return found == host.links.end() ? nullptr : &found->second;
}

const netlink::Route* path_to(const Host& host, const IpAddress& address) {
  const auto found = host.paths.find(address);
  return found == host.paths.end() || !found->second ? nullptr : &*found->second;
}

// On-link: the kernel sends to the address itself, without a router, through a device of the underlay.
bool on_link(const Host& host, const netlink::Route& path) {
  if (path.type != RTN_UNICAST || path.gateway || path.link == 0) return false;
  const netlink::Link* link = link_of(host, path.link);
  return link == nullptr || ((link->flags & IFF_LOOPBACK) == 0 && link->name != tunnel_name);
}

std::string describe(const Host& host, const netlink::Route& path) {
  return netlink::to_string(path, host.link_name(path.link));
}

// The words for a peer that has no direct path.
std::string off_link_reason(const Host& host, const IpAddress& address) {
  const netlink::Route* path = path_to(host, address);
  if (path == nullptr) return fmt::format("there is no route to {}", address.to_string());
  if (path->type == RTN_LOCAL) return fmt::format("{} is an address of this very host", address.to_string());
  return fmt::format("{} is not on-link ({})", address.to_string(), describe(host, *path));
}

// The route of an attachment: of one address, to the interface itself.
bool leads_to_a_pod(const netlink::Route& route) {
  return route.type == RTN_UNICAST && route.dst.is_host() && !route.gateway;
}

class Planner {
 public:
  Planner(const Cluster& cluster, const Host& host) : cluster_(cluster), host_(host) {}

  Desired plan() {
    plan_device();
    plan_own_subnets();
    for (const Node& peer : cluster_.peers)
      for (const IpPrefix& cidr : peer.pod_cidrs) plan_peer(peer, cidr);
    if (tunnel_missed_) result_.problems.push_back("no tunnel: " + tunnel_problem_);
    std::sort(result_.routes.begin(), result_.routes.end(), netlink::key_before);
    return std::move(result_);
  }

 private:
  // The tunnel's device, and the MTU that both it and the pods get from the device that carries our address.
  void plan_device() {
    const bool tunnels = std::any_of(cluster_.peers.begin(), cluster_.peers.end(),
                                     [&](const Node& peer) { return may_tunnel(cluster_, peer); });
    const auto own_address = cluster_.self.ipv4 ? cluster_.self.ipv4 : cluster_.self.ipv6;
    const netlink::Route* own = path_to(host_, *own_address);
    const netlink::Link* carrier =
        own != nullptr && own->type == RTN_LOCAL ? link_of(host_, own->link) : nullptr;
    if (carrier == nullptr)
      result_.problems.push_back(fmt::format("{}, the address of this node, is on none of its interfaces",
                                             own_address->to_string()));
    const bool known =
        carrier != nullptr && (carrier->flags & IFF_LOOPBACK) == 0 && carrier->mtu > ipip_header;
    if (known) result_.pod_mtu = tunnels ? carrier->mtu - ipip_header : carrier->mtu;
    if (!tunnels) return;
    if (host_.tunnel && host_.tunnel->kind != "ipip") {
      tunnel_problem_ =
          fmt::format("{} is of kind \"{}\", not ipip: left alone", tunnel_name, host_.tunnel->kind);
    } else if (!host_.tunnel && host_.ipip_missing) {
      tunnel_problem_ = "this kernel has no ipip module";
    } else if (const auto address = tunnel_address(cluster_.self)) {
      if (const netlink::Route* pod = path_to(host_, *address); pod != nullptr && leads_to_a_pod(*pod))
        tunnel_problem_ = fmt::format("its address {} is a pod's ({})", address->to_string(),
                                      netlink::to_string(*pod, host_.link_name(pod->link)));
      else
        result_.tunnel = WantedTunnel{*address, known ? carrier->mtu - ipip_header : 0};
    }
  }

  // A packet to an unused address of ours must not follow the default route and come back. A single address
  // would shut out the pod that has it.
  void plan_own_subnets() {
    for (const IpPrefix& cidr : cluster_.self.pod_cidrs) {
      (cidr.address.is_v4() ? result_.forwarding_v4 : result_.forwarding_v6) = true;
      if (cidr.is_host()) continue;
      netlink::Route route;
      route.dst = cidr.network();
      route.type = RTN_BLACKHOLE;
      route.protocol = netlink::onlink_protocol;
      result_.routes.push_back(normalised(route));
    }
  }

  void plan_peer(const Node& peer, const IpPrefix& cidr) {
    const bool v4 = cidr.address.is_v4();
    PeerPath path{peer.name, cidr, v4 ? mode_between(cluster_, peer) : IpipMode::never, PathKind::none, ""};
    const IpAddress& address = v4 ? *peer.ipv4 : *peer.ipv6;
    if (path.mode == IpipMode::always) {
      use_tunnel(path, address, "ipipMode is Always");
    } else if (const netlink::Route* way = path_to(host_, address); way != nullptr && on_link(host_, *way)) {
      use_direct(path, address, *way);
    } else if (path.mode == IpipMode::cross_subnet) {
      use_tunnel(path, address, off_link_reason(host_, address));
    } else {
      path.why =
          off_link_reason(host_, address) + (v4 ? ", and ipipMode is Never" : ", and IPIP carries IPv4 only");
    }
    result_.paths.push_back(std::move(path));
  }

  void use_direct(PeerPath& path, const IpAddress& gateway, const netlink::Route& way) {
    path.kind = PathKind::direct;
    path.why = fmt::format("{} is on-link, dev {}", gateway.to_string(), host_.link_name(way.link));
    netlink::Route& route = add_route(path.cidr, gateway);
    route.link = way.link;
  }

  void use_tunnel(PeerPath& path, const IpAddress& gateway, std::string why) {
    path.why = std::move(why);
    const netlink::Route* way = path_to(host_, gateway);
    if (way != nullptr && way->type == RTN_LOCAL) {
      path.why = off_link_reason(host_, gateway);
      return;
    }
    if (!result_.tunnel) {
      tunnel_missed_ = !tunnel_problem_.empty();
      path.why += "; but " + (tunnel_problem_.empty() ? "this node has no tunnel address" : tunnel_problem_);
      return;
    }
    path.kind = PathKind::tunnel;
    netlink::Route& route = add_route(path.cidr, gateway);
    route.link = host_.tunnel ? host_.tunnel->index : tunnel_to_come;
    route.onlink = true;
    route.source = result_.tunnel->address;
  }

  netlink::Route& add_route(const IpPrefix& cidr, const IpAddress& gateway) {
    netlink::Route route;
    route.dst = cidr.network();
    route.gateway = gateway;
    route.protocol = netlink::onlink_protocol;
    return result_.routes.emplace_back(normalised(std::move(route)));
  }

  const Cluster& cluster_;
  const Host& host_;
  Desired result_;
  std::string tunnel_problem_;  // of nobody's concern where all peers are on-link
  bool tunnel_missed_ = false;
};

}  // namespace

const char* to_string(PathKind kind) {
  switch (kind) {
    case PathKind::direct:
      return "direct";
    case PathKind::tunnel:
      return "ipip";
    default:
      return "none";
  }
}

Desired desired(const Cluster& cluster, const Host& host) { return Planner(cluster, host).plan(); }

}  // namespace onlink::node
