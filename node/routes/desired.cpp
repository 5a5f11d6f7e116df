// SPDX-License-Identifier: Apache-2.0
#include "node/routes/desired.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <net/if.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "netlink/route_key.h"

namespace onlink::node {
namespace {

// The ways of a route: its next hops.
std::vector<netlink::NextHop> ways_of(const netlink::Route& path) {
  if (!path.multipath.empty()) return path.multipath;
  return {{path.link, path.gateway}};
}

std::string describe(const Host& host, const netlink::Route& path) {
  return netlink::to_string(path, host.link_name(path.link));
}

// Why there is no direct path to an address.
std::string off_link_reason(const Host& host, const IpAddress& address) {
  const netlink::Route* path = host.path_to(address);
  if (path == nullptr) return fmt::format("there is no route to {}", address.to_string());
  if (path->type == RTN_LOCAL) return fmt::format("{} is an address of this very host", address.to_string());
  if (path->type == RTN_BROADCAST)
    return fmt::format("{} is the broadcast address of a network of {}", address.to_string(),
                       host.link_name(path->link));
  return fmt::format("{} is not on-link ({})", address.to_string(), describe(host, *path));
}

// What arrives on a port of a bridge or bond is the master's; only a VRF leaves it where it was.
bool is_port(const netlink::Link& link) {
  return link.master != 0 && !link.port_kind.empty() && link.port_kind != "vrf";
}

class Planner {
 public:
  Planner(const Cluster& cluster, const Host& host)
      : cluster_(cluster), host_(host), gateways_(host.default_gateways) {
    for (const auto& [address, path] : host.paths)
      if (path)
        for (const netlink::NextHop& way : ways_of(*path))
          if (way.gateway) gateways_.insert(*way.gateway);
  }

  Desired plan() {
    const std::uint32_t mtu = find_mtu();
    result_.pod_mtu = mtu;
    plan_ipip(mtu);
    plan_vxlan(mtu);
    const std::size_t about = cluster_.peers.size() + cluster_.self.pod_cidrs.size();
    result_.paths.reserve(about);
    result_.routes.reserve(about);
    result_.underlay.reserve(about);
    plan_own_subnets();
    for (const Node& peer : cluster_.peers) {
      for (const IpPrefix& cidr : peer.pod_cidrs) plan_peer(peer, cidr);
      if (peer.ipv4) result_.underlay.push_back(*peer.ipv4);
      if (peer.ipv6) result_.underlay.push_back(*peer.ipv6);
    }
    std::sort(result_.underlay.begin(), result_.underlay.end());
    if (tunnel_missed_)
      result_.problems.push_back({"no-tunnel", Subject::node, "no tunnel: " + tunnel_problem_});
    finish_vxlan();
    find_strays();
    std::sort(result_.routes.begin(), result_.routes.end(), netlink::key_before);
    return std::move(result_);
  }

 private:
  bool may_tunnel_by(Encapsulation encapsulation) const {
    return std::any_of(cluster_.peers.begin(), cluster_.peers.end(),
                       [&](const Node& peer) { return may_tunnel(cluster_, peer, encapsulation); });
  }

  // The MTU of the device with our address; 0: not known. Both tunnels and pods get theirs from it.
  std::uint32_t find_mtu() {
    const Node& self = cluster_.self;
    const IpAddress first = self.ipv4 ? *self.ipv4 : *self.ipv6;
    const netlink::Link* carrier = carrier_of(first);
    const auto is_of_ipv6 = [](const IpPrefix& cidr) { return !cidr.address.is_v4(); };
    if (self.ipv4 && self.ipv6 && std::any_of(self.pod_cidrs.begin(), self.pod_cidrs.end(), is_of_ipv6))
      (void)carrier_of(*self.ipv6);
    const std::uint32_t mtu = carrier != nullptr ? underlay_mtu(*carrier) : 0;
    return mtu > headers_around(PathKind::vxlan, first) ? mtu : 0;
  }

  // The device with an address of this node; none: it is told.
  const netlink::Link* carrier_of(const IpAddress& own) {
    const netlink::Link* carrier = host_.has_own(own) ? host_.link(host_.path_to(own)->link) : nullptr;
    if (carrier == nullptr)
      result_.problems.push_back({"no-own-address", Subject::node, why_no_carrier(own)});
    return carrier;
  }

  // What is left of it inside a tunnel. A pod's packets must fit into each tunnel that there is.
  std::uint32_t inner_mtu(std::uint32_t mtu, std::uint32_t headers) {
    if (mtu == 0) return 0;
    result_.pod_mtu = std::min(result_.pod_mtu, mtu - headers);
    return mtu - headers;
  }

  void plan_ipip(std::uint32_t outer_mtu) {
    if (!may_tunnel_by(Encapsulation::ipip)) return;
    const std::uint32_t mtu = inner_mtu(outer_mtu, headers_around(PathKind::tunnel, *cluster_.self.ipv4));
    if (host_.tunnel && host_.tunnel->kind != "ipip") {
      tunnel_problem_ =
          fmt::format("{} is of kind \"{}\", not ipip: left alone", host_.tunnel->name, host_.tunnel->kind);
    } else if (!host_.tunnel && host_.ipip_missing) {
      tunnel_problem_ = host_.needs_own_tunnel ? fmt::format("{} could not be made", own_tunnel_name)
                                               : "this kernel has no ipip module";
    } else if (const auto address = tunnel_address(cluster_.self)) {
      tunnel_problem_ = why_not_ours(*address);
      if (!tunnel_problem_.empty()) return;
      result_.tunnel = WantedTunnel{*address, mtu, host_.tunnel_device(), {}};
      if (host_.needs_own_tunnel) result_.tunnel->local = cluster_.self.ipv4;
    }
  }

  std::string why_not_ours(const IpAddress& address) const {
    const netlink::Route* pod = host_.path_to(address);
    if (pod == nullptr || !has_the_shape_of_an_attachment(*pod)) return "";
    return fmt::format("its address {} is a pod's ({})", address.to_string(),
                       netlink::to_string(*pod, host_.link_name(pod->link)));
  }

  void plan_vxlan(std::uint32_t outer_mtu) {
    if (!may_tunnel_by(Encapsulation::vxlan)) return;
    const IpAddress outer = *outer_address(cluster_, cluster_.self);
    WantedVxlan wanted{{cluster_.vxlan_vni, outer, cluster_.vxlan_port}, vxlan_mac(outer), 0, {}};
    wanted.mtu = inner_mtu(outer_mtu, headers_around(PathKind::vxlan, outer));
    for (const auto& end : {tunnel_address(cluster_.self), tunnel_address_v6(cluster_.self)}) {
      if (!end) continue;
      if (vxlan_problem_.empty()) vxlan_problem_ = why_not_ours(*end);
      wanted.addresses.push_back(*end);
    }
    if (host_.vxlan && host_.vxlan->kind != "vxlan")
      vxlan_problem_ =
          fmt::format("{} is of kind \"{}\", not vxlan: left alone", vxlan_name, host_.vxlan->kind);
    else if (!host_.vxlan && host_.vxlan_missing)
      vxlan_problem_ = "it could not be made";
    if (vxlan_problem_.empty()) result_.vxlan = std::move(wanted);
  }

  // A peer has added its entries once for each of its pod subnets.
  void finish_vxlan() {
    auto& [fdb, neighbours] = result_.vxlan_entries;
    std::sort(fdb.begin(), fdb.end());
    fdb.erase(std::unique(fdb.begin(), fdb.end()), fdb.end());
    std::sort(neighbours.begin(), neighbours.end());
    neighbours.erase(std::unique(neighbours.begin(), neighbours.end()), neighbours.end());
    if (vxlan_missed_)
      result_.problems.push_back(
          {"no-tunnel", Subject::node, fmt::format("no {}: {}", vxlan_name, vxlan_problem_)});
  }

  // What fits all ways to the other nodes; the address may be on another device (lo, dummy0). Without other nodes, what
  // fits the device with the address.
  std::uint32_t underlay_mtu(const netlink::Link& carrier) const {
    std::uint32_t smallest = 0;
    const auto take = [&](std::uint32_t mtu) { smallest = smallest == 0 ? mtu : std::min(smallest, mtu); };
    for (const Node& peer : cluster_.peers)
      for (const auto& address : {peer.ipv4, peer.ipv6}) {
        const netlink::Route* path = address ? host_.outer_path_to(*address) : nullptr;
        if (path == nullptr || path->type != RTN_UNICAST) continue;
        if (path->mtu != 0) take(path->mtu);
        for (const netlink::NextHop& way : ways_of(*path))
          if (const netlink::Link* link = host_.link(way.link)) take(link->mtu);
      }
    if (smallest == 0 && (carrier.flags & IFF_LOOPBACK) == 0) return carrier.mtu;
    return smallest;
  }

  std::string why_no_carrier(const IpAddress& address) const {
    const auto own = host_.unreached.find(address);
    if (own == host_.unreached.end())
      return fmt::format("{}, the address of this node, is on none of its interfaces", address.to_string());
    const auto& [link, flags] = own->second;
    std::string why =
        fmt::format("{}, the address of this node, is on {}, but ", address.to_string(), link.name);
    if ((flags & IFA_F_DADFAILED) != 0) return why + "another machine there has it, too: not used";
    if ((flags & IFA_F_TENTATIVE) != 0) return why + "the kernel still asks whether another machine has it";
    why += "no route of table main leads to it";
    if (link.master != 0) why += ": an interface in a VRF has tables of its own, which onlink does not use";
    return why;
  }

  // The longest network in table main that the node's address is in.
  std::optional<netlink::Route> connected(const IpAddress& address) const {
    const netlink::Route* longest = nullptr;
    for (const netlink::Route& network : host_.connected)
      if (network.dst.contains(address) && (longest == nullptr || network.dst.length > longest->dst.length))
        longest = &network;
    return longest != nullptr ? std::optional(*longest) : std::nullopt;
  }

  // The way to a node in table main. If a policy rule leads elsewhere before that, or something refuses packets to the
  // node itself, its connected network: neither need apply to what onlink's routes send.
  std::optional<netlink::Route> way_to(const IpAddress& address) const {
    const netlink::Route* path = host_.path_to(address);
    if (path != nullptr && !host_.is_before_main(*path)) return *path;
    if (auto network = connected(address)) return network;
    return path != nullptr ? std::optional(*path) : std::nullopt;
  }

  // Whether the subnet has a part of a connected network in it, or a router: a route to pods would hide these.
  std::string taken_network(const IpPrefix& cidr) const {
    for (const netlink::Address& address : host_.underlay_addresses)
      if (cidr.overlaps(address.prefix))
        return fmt::format("{} covers a part of {}, the network of {}: not routed to pods", cidr.to_string(),
                           address.prefix.network().to_string(), host_.link_name(address.link));
    const auto gateway = gateways_.lower_bound(cidr.network().address);
    if (gateway != gateways_.end() && cidr.contains(*gateway))
      return fmt::format("{} has {} in it, the way to other nodes: not routed to pods", cidr.to_string(),
                         gateway->to_string());
    return "";
  }

  // A packet to an unused address of ours must not follow the default route and come back. A subnet of one address gets
  // no blackhole, which would shut out its pod.
  void plan_own_subnets() {
    for (const IpPrefix& cidr : cluster_.self.pod_cidrs) {
      (cidr.address.is_v4() ? result_.forwarding_v4 : result_.forwarding_v6) = true;
      if (std::string taken = taken_network(cidr); !taken.empty()) {
        result_.problems.push_back({"subnet-taken", Subject::node, "this node's pod subnet " + taken});
        continue;
      }
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
    PeerPath path{peer.name, cidr};
    path.encapsulation = encapsulation_between(cluster_, peer);
    const bool carries = v4 || path.encapsulation == Encapsulation::vxlan;
    if (carries) path.mode = mode_between(cluster_, peer);
    path.why = taken_network(cidr);
    if (!path.why.empty()) {
      path.problem = "subnet-taken";
      path.is_elsewhere = true;
      result_.paths.push_back(std::move(path));
      return;
    }
    const auto& address = v4 ? peer.ipv4 : peer.ipv6;
    const auto way = address ? way_to(*address) : std::nullopt;
    const std::string no_way = address ? off_link_reason(host_, *address)
                                       : fmt::format("it has no {} address", v4 ? "IPv4" : "IPv6");
    if (path.mode == IpipMode::always) {
      use_tunnel(path, peer, fmt::format("{} is Always", mode_key(path.encapsulation)));
    } else if (way && on_link(host_, *way)) {
      use_direct(path, *address, *way);
    } else if (path.mode == IpipMode::cross_subnet) {
      use_tunnel(path, peer, no_way);
    } else {
      path.why = carries ? fmt::format("{}, and {} is Never", no_way, mode_key(path.encapsulation))
                         : no_way + ", and IPIP carries IPv4 only";
    }
    if (path.kind == PathKind::none)
      path.problem = "no-path";
    else
      find_obstacle(path, path.kind == PathKind::vxlan ? *outer_address(cluster_, peer) : *address);
    result_.paths.push_back(std::move(path));
  }

  // Nodes that this one has no way to: while it reaches as many others of the family, they are to be looked into there.
  void find_strays() {
    const auto is_stray = [](const PeerPath& path) {
      return path.problem == "no-path" || path.problem == "no-route-to-node";
    };
    for (const bool v4 : {true, false}) {
      std::size_t reached = 0;
      std::vector<PeerPath*> strays;
      for (PeerPath& path : result_.paths) {
        if (path.cidr.address.is_v4() != v4) continue;
        if (path.problem.empty()) ++reached;
        if (is_stray(path)) strays.push_back(&path);
      }
      if (strays.size() <= reached)
        for (PeerPath* path : strays) path->is_elsewhere = true;
    }
  }

  // A tunnel's packets come from this node's address, except those of tunl0, whose source follows from the way.
  const netlink::Route* way_of_packets(const PeerPath& path, const IpAddress& node) const {
    const bool from_own =
        path.kind == PathKind::vxlan || (path.kind == PathKind::tunnel && host_.needs_own_tunnel);
    return from_own ? host_.outer_path_to(node) : host_.path_to(node);
  }

  void find_obstacle(PeerPath& path, const IpAddress& address) const {
    const netlink::Route* way = way_of_packets(path, address);
    set_obstacle(path, address, way);
    if (std::string words =
            path.obstacle.empty() && way != nullptr ? return_obstacle(path, address, *way) : "";
        !words.empty())
      block(path, "strict-rp-filter", std::move(words));
    if (!path.obstacle.empty() || way == nullptr) return;
    const auto ways = ways_of(*way);
    path.is_elsewhere = std::all_of(ways.begin(), ways.end(), [&](const netlink::NextHop& each) {
      return host_.dead_neighbours.contains({each.link, each.gateway.value_or(address)});
    });
    if (path.is_elsewhere)
      block(path, "peer-unreachable",
            fmt::format("{} does not answer on {}", ways.front().gateway.value_or(address).to_string(),
                        host_.link_name(ways.front().link)));
  }

  static void block(PeerPath& path, const char* kind, std::string words) {
    path.problem = kind;
    path.obstacle = std::move(words);
  }

  // Finds what keeps packets from the node at this address, as far as this host can tell without sending any.
  void set_obstacle(PeerPath& path, const IpAddress& address, const netlink::Route* way) const {
    const bool is_by_sender = way != host_.path_to(address);  // as a rule about this node's address wants
    const auto network = way == nullptr ? connected(address) : std::nullopt;
    // Some hosts do not use such routes (ignore_routes_with_linkdown).
    if (const netlink::Link* link = network ? host_.link(network->link) : nullptr;
        link != nullptr && (link->flags & IFF_RUNNING) == 0)
      return block(path, "no-carrier", link->name + " has no carrier");
    if (way == nullptr)
      return block(path, "no-route-to-node",
                   fmt::format("there is no route {}to {}, or one that refuses",
                               is_by_sender ? "from this node's address " : "", address.to_string()));
    // A router in another table is as good as one in main; a VPN's exit leads to nobody.
    if (!is_by_sender && host_.is_before_main(*way) && !has_neighbours(host_, *way))
      return block(path, "policy-rule",
                   fmt::format("a policy rule leads to {}, before table main", describe(host_, *way)));
    const auto ways = ways_of(*way);
    const auto all_lack = [&](unsigned flag) {
      return std::all_of(ways.begin(), ways.end(), [&](const netlink::NextHop& each) {
        const netlink::Link* link = host_.link(each.link);
        return link != nullptr && (link->flags & flag) == 0;
      });
    };
    const std::string device = host_.link_name(ways.front().link);
    if (all_lack(IFF_UP)) return block(path, "link-down", device + " is down");
    if (all_lack(IFF_RUNNING)) return block(path, "no-carrier", device + " has no carrier");
    if (const netlink::Link* link = host_.link(ways.front().link); link != nullptr && is_port(*link))
      return block(
          path, "link-is-port",
          fmt::format(
              "{0} is a port of {1}, which takes what arrives there: the addresses of {0} belong to {1}",
              device, host_.link_name(link->master)));
    const auto& tunnel = path.kind == PathKind::vxlan ? host_.vxlan : host_.tunnel;
    const std::uint32_t arrives_on = path.kind != PathKind::direct && tunnel ? tunnel->index : way->link;
    if (path.cidr.address.is_v4() && host_.forwarding_v4 && host_.not_forwarding.contains(arrives_on))
      block(path, "no-forwarding",
            fmt::format("net.ipv4.conf.{0}.forwarding is 0: packets that arrive on {0} do not reach pods",
                        host_.link_name(arrives_on)));
  }

  // If the other node's network is wider than ours (/16 and /24), we are on-link for it, and it sends without a tunnel.
  // It has asked for our link-layer address: that shows it.
  std::string return_obstacle(const PeerPath& path, const IpAddress& address,
                              const netlink::Route& way) const {
    if (path.kind == PathKind::direct || path.mode != IpipMode::cross_subnet || !path.cidr.address.is_v4())
      return "";
    if (!host_.near.contains({way.link, address})) return "";
    return fmt::format(
        "this node is on-link for it, but it is not for this node: what it sends arrives on {0}, the way "
        "back is {1}, so rp_filter drops it; use the same prefix length on both nodes, or: sysctl -w "
        "net/ipv4/conf/{0}/rp_filter=2",
        host_.link_name(way.link), path.kind == PathKind::vxlan ? vxlan_name : host_.tunnel_device());
  }

  void use_direct(PeerPath& path, const IpAddress& gateway, const netlink::Route& way) {
    path.kind = PathKind::direct;
    path.why = fmt::format("{} is on-link, dev {}", gateway.to_string(), host_.link_name(way.link));
    netlink::Route& route = add_route(path.cidr, gateway);
    route.link = way.link;
  }

  void use_tunnel(PeerPath& path, const Node& peer, std::string why) {
    path.why = std::move(why);
    const auto node = path.encapsulation == Encapsulation::vxlan ? outer_address(cluster_, peer) : peer.ipv4;
    if (!node) {
      path.why += fmt::format("; but VXLAN goes over {} here, and it has no such address",
                              cluster_.self.ipv4 ? "IPv4" : "IPv6");
      return;
    }
    const netlink::Route* way = host_.path_to(*node);
    if (way != nullptr && way->type != RTN_UNICAST)  // this very host, or a network's broadcast address
      path.why = off_link_reason(host_, *node);
    else if (path.encapsulation == Encapsulation::vxlan)
      use_vxlan(path, peer, *node);
    else
      use_ipip(path, peer, *node);
  }

  void use_vxlan(PeerPath& path, const Node& peer, const IpAddress& node) {
    if (!result_.vxlan) {
      path.is_elsewhere = tunnels_at_its_wish(cluster_, peer);
      vxlan_missed_ = vxlan_missed_ || !path.is_elsewhere;
      path.why += fmt::format("; but {}: {}", vxlan_name, vxlan_problem_);
      return;
    }
    path.kind = PathKind::vxlan;
    const bool v4 = path.cidr.address.is_v4();
    const MacAddress mac = vxlan_mac(node);
    const std::uint32_t link = host_.vxlan ? host_.vxlan->index : vxlan_to_come;
    const IpAddress end = v4 ? tunnel_address(peer).value_or(path.cidr.address) : mac.link_local();
    netlink::Route& route = add_route(path.cidr, end);
    route.link = link;
    route.onlink = v4;  // a link-local gateway is on-link anyway
    for (const IpAddress& own : result_.vxlan->addresses)
      if (own.is_v4() == v4) route.source = own;
    result_.vxlan_entries.fdb.push_back({link, mac, node});
    result_.vxlan_entries.neighbours.push_back({link, end, mac});
  }

  void use_ipip(PeerPath& path, const Node& peer, const IpAddress& gateway) {
    if (!result_.tunnel) {
      path.is_elsewhere = tunnels_at_its_wish(cluster_, peer);
      tunnel_missed_ = tunnel_missed_ || (!path.is_elsewhere && !tunnel_problem_.empty());
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
  std::set<IpAddress> gateways_;  // of the ways to other nodes
  Desired result_;
  std::string tunnel_problem_;  // matters only if a peer needs the tunnel
  bool tunnel_missed_ = false;
  std::string vxlan_problem_;
  bool vxlan_missed_ = false;
};

}  // namespace

const char* to_string(PathKind kind) {
  switch (kind) {
    case PathKind::direct:
      return "direct";
    case PathKind::tunnel:
      return "ipip";
    case PathKind::vxlan:
      return "vxlan";
    default:
      return "none";
  }
}

// VXLAN: the Ethernet, VXLAN, UDP and outer IP headers (RFC 7348).
std::uint32_t headers_around(PathKind kind, const IpAddress& node) {
  if (kind == PathKind::tunnel) return 20;
  if (kind != PathKind::vxlan) return 0;
  return node.is_v4() ? 50 : 70;
}

Desired desired(const Cluster& cluster, const Host& host) { return Planner(cluster, host).plan(); }

}  // namespace onlink::node
