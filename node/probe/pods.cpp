// SPDX-License-Identifier: Apache-2.0
#include "node/probe/pods.h"

#include <fmt/format.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/failure.h"
#include "base/text.h"
#include "netlink/address.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "node/probe/doubles.h"
#include "node/probe/leases.h"
#include "node/probe/tcp.h"
#include "node/probe/wire.h"
#include "node/probe/words.h"

namespace onlink::node {
namespace {

constexpr std::size_t peers_asked = 50;  // from within a pod
constexpr const char* gateway = "169.254.1.1";

// "onlink <network> <container> <ifname>"
std::optional<PodCheck> read_alias(const netlink::Link& link) {
  if (!link.alias.starts_with(netlink::host_end_alias)) return std::nullopt;
  const auto words = split(std::string_view(link.alias).substr(netlink::host_end_alias.size()), " ");
  if (words.size() != 3) return std::nullopt;
  PodCheck pod;
  pod.network = words[0];
  pod.container = words[1];
  pod.ifname = words[2];
  pod.link = link;
  return pod;
}

std::string name_of(const PodCheck& pod) {
  return pod.name.empty() ? "container " + pod.container : "pod " + pod.name;
}

void blame(PodCheck& pod, const char* kind, const std::string& words) {
  pod.problems.push_back(
      {kind, Subject::node, fmt::format("{}, {} ({}): {}", name_of(pod), pod.ifname, pod.link.name, words)});
}

void blame_peer(PodCheck& pod, const char* kind, const PeerCheck& peer, const std::string& words) {
  pod.problems.push_back({kind, Subject::peer, words, peer.peer});
}

bool has_family(const PodCheck& pod, IpFamily family) {
  return std::any_of(pod.addresses.begin(), pod.addresses.end(),
                     [&](const IpAddress& address) { return address.family() == family; });
}

// Takes the pod's own addresses for a family in which the host has no route to it.
void add_own_word(netlink::Socket& socket, PodCheck& pod) {
  if (!pod.link.peer_netns) return;
  const bool has[] = {has_family(pod, IpFamily::v4), has_family(pod, IpFamily::v6)};
  for (const auto& address : netlink::list_addresses_in(socket, *pod.link.peer_netns, pod.link.peer))
    if (address.scope == RT_SCOPE_UNIVERSE && !has[address.prefix.address.is_v4() ? 0 : 1])
      pod.addresses.push_back(address.prefix.address);
}

void read_lease(const std::string& data_dir, PodCheck& pod) {
  for (const IpAddress& address : pod.addresses) {
    const auto lease = find_lease(data_dir, pod.network, address);
    if (!lease) continue;
    pod.name = lease->reservation.pod;
    pod.lease = lease->path;
    pod.since = modified_in_utc(lease->reservation.file);
    const std::string& holder = lease->reservation.owner.container_id;
    if (pod.network.empty()) {
      pod.network = lease->network;
      pod.container = holder;
      pod.ifname = lease->reservation.owner.ifname;
    } else if (holder != pod.container) {
      blame(pod, "lease-of-another",
            fmt::format("{} is reserved for container {}", address.to_string(), holder));
    }
  }
}

// Paths by which network namespaces can be opened, one for each namespace.
std::vector<std::string> namespace_paths() {
  std::vector<std::string> paths;
  std::set<std::pair<dev_t, ino_t>> seen;
  const auto take = [&](const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && seen.emplace(status.st_dev, status.st_ino).second)
      paths.push_back(path);
  };
  std::error_code ignored;
  for (const char* folder : {"/run/netns", "/run/docker/netns"})
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
      take(entry.path().string());
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) take(entry.path().string() + "/ns/net");
  }
  return paths;
}

// Without its alias, only its route shows that this is a pod's end of a pair, and only the lease whose.
void blame_lost_alias(PodCheck& pod) {
  const bool known = !pod.lease.empty();
  blame(pod, "alias-lost",
        fmt::format("the host's end has lost the alias by which it is known as an attachment: ip link set {} "
                    "alias '{}{} {} {}'",
                    pod.link.name, netlink::host_end_alias, known ? pod.network : "NETWORK",
                    known ? pod.container : "CONTAINER", known ? pod.ifname : "IFNAME"));
}

void find_namespaces(netlink::Socket& socket, std::vector<PodCheck>& pods) {
  std::map<std::int32_t, std::vector<PodCheck*>> wanted;
  for (PodCheck& pod : pods)
    if (pod.link.peer_netns) wanted[*pod.link.peer_netns].push_back(&pod);
  for (const std::string& path : namespace_paths()) {
    if (wanted.empty()) return;
    try {
      const auto id = netlink::find_netns_id(socket, netlink::Netns::open(path));
      const auto found = id ? wanted.find(*id) : wanted.end();
      if (found == wanted.end()) continue;
      for (PodCheck* pod : found->second) pod->netns = path;
      wanted.erase(found);
    } catch (const Failure&) {
      continue;  // a process that has ended, a file that is no namespace
    }
  }
}

// Whether a known problem could keep it from being reached: then it need not be asked.
bool is_explained(const PodCheck& pod) {
  return std::any_of(pod.problems.begin(), pod.problems.end(), [](const Problem& problem) {
    return problem.kind != "mtu" && problem.kind != "lease-of-another" && problem.kind != "alias-lost";
  });
}

// Another pod of this host, as if it were a node; only such a "peer" has no path.
PeerCheck as_peer(const PodCheck& pod) {
  PeerCheck peer;
  peer.peer = name_of(pod);
  peer.cidr = IpPrefix::host(pod.addresses.front());
  peer.node_address = pod.addresses.front();
  peer.node = pod.echo;
  return peer;
}
bool is_local(const PeerCheck& peer) { return peer.kind == PathKind::none; }

void ask_from_host(Pinger& pinger, std::vector<PodCheck>& pods) {
  std::vector<Echo> echoes;
  std::vector<PodCheck*> asked;
  for (PodCheck& pod : pods) {
    if (pod.addresses.empty()) continue;
    echoes.push_back({.to = pod.addresses.front()});
    asked.push_back(&pod);
  }
  const auto results = pinger.ask(echoes, false, {.tries = 2, .wait_ms = 500});
  for (std::size_t i = 0; i < results.size(); ++i) asked[i]->echo = results[i];
}

class PodChecker {
 public:
  PodChecker(netlink::Socket& socket, const PodQuestion& question)
      : socket_(socket), question_(question), home_(socket.netns()) {}

  void check_on_host(PodCheck& pod) {
    const netlink::Link& link = pod.link;
    pod.counters = netlink::read_counters(socket_, link.index);
    if (!netlink::peer_lives(socket_, link))
      return blame(pod, "pod-gone", "its namespace is gone: DEL was never called");
    if (!link.up())
      return blame(pod, "link-down", fmt::format("the host's end is down: ip link set {} up", link.name));
    if ((link.flags & IFF_RUNNING) == 0) return blame(pod, "pod-link-down", "the pod's end is down");
    if ((link.flags & IFF_NOARP) != 0)
      return blame(
          pod, "no-arp",
          fmt::format("the host's end has the flag NOARP, and its packets no MAC: ip link set {} arp on",
                      link.name));
    if (pod.addresses.empty()) return blame(pod, "route-missing", "the host has no route to it");
    const netlink::RouteFilter its{.table = RT_TABLE_MAIN, .link = link.index};
    const auto routes = netlink::list_routes(socket_, its);
    for (const IpAddress& address : pod.addresses) check_address(pod, address, routes);
    if (link.ipv4_setting(IPV4_DEVCONF_FORWARDING) == 0 && !link.ipv4_conf.empty())
      blame(pod, "no-forwarding", fmt::format("net.ipv4.conf.{}.forwarding is 0", link.name));
    if (question_.pod_mtu != 0 && link.mtu > question_.pod_mtu)
      blame(pod, "mtu",
            fmt::format("its MTU is {}, but only {} bytes pass to every node: large packets are lost where "
                        "ICMP is dropped; it was attached before the MTU was known, or its configuration "
                        "sets it",
                        link.mtu, question_.pod_mtu));
  }

  void check_inside(PodCheck& pod) {
    if (pod.netns.empty() || is_explained(pod)) return;
    const auto inside = netlink::Netns::open(pod.netns);
    auto socket = netlink::Socket::open_in(inside, home_);
    const auto link = netlink::find_link(socket, pod.ifname);
    if (!link) return blame(pod, "pod-link-gone", "the pod has no such interface: it was renamed or moved");
    if (!link->up()) blame(pod, "pod-link-down", "the pod's end is down");
    if (link->mtu != pod.link.mtu)
      blame(pod, "mtu",
            fmt::format("the pod's end has MTU {}, the host's end {}: the larger one's packets are lost",
                        link->mtu, pod.link.mtu));
    const auto addresses = netlink::list_addresses(socket, link->index);
    for (const IpAddress& address : pod.addresses)
      if (std::none_of(addresses.begin(), addresses.end(),
                       [&](const netlink::Address& each) { return each.prefix.address == address; }))
        return blame(
            pod, "pod-address-gone",
            fmt::format("the pod itself does not have {}", address.to_string()));  // its routes went with it
    bool has_default = false;
    for (const netlink::Route& route : netlink::list_routes(socket, {.table = RT_TABLE_MAIN})) {
      if (!route.dst.address.is_v4()) continue;
      pod.routes.push_back(words_of(socket, route));
      has_default = has_default || route.dst.length == 0;
    }
    if (!has_family(pod, IpFamily::v4)) return;
    if (!has_default) blame(pod, "pod-no-default", "the pod has no default route");
    for (const netlink::Neighbour& neighbour : netlink::list_neighbours(socket, link->index))
      pod.neighbours.push_back(
          fmt::format("{} {}", neighbour.address.to_string(), neighbour.mac.to_string()));
    const auto way = netlink::find_neighbour(socket, link->index, *IpAddress::parse(gateway));
    pod.has_gateway = way && (way->state & NUD_PERMANENT) != 0;
    if (way && pod.link.mac && way->mac != *pod.link.mac && (way->state & NUD_PERMANENT) != 0)
      blame(pod, "pod-neighbour",
            fmt::format("the pod's gateway {} has {} for its MAC, the host's end has {}", gateway,
                        way->mac.to_string(), pod.link.mac->to_string()));
  }

  // Pings from within the pod what this node itself reaches, to find what is lost on the way through this host.
  void check_forwarding(PodCheck& pod) {
    std::vector<Echo> echoes;
    std::vector<const PeerCheck*> asked;
    for (const PeerCheck& peer : question_.peers) {
      if (peer.problem || !peer.answers() || !peer.node_address.is_v4() || echoes.size() == peers_asked)
        continue;
      const IpAddress to = peer.far.answered() ? *peer.far_address : peer.node_address;
      if (!has_family(pod, to.family())) continue;
      echoes.push_back({.to = to});
      asked.push_back(&peer);
      // Besides the node, an address of its pods, which may not exist: the packet need only leave this node.
      if (to != peer.node_address || !peer.cidr.address.is_v4() || peer.cidr.is_host()) continue;
      echoes.push_back({.to = peer.cidr.address.next()});
      asked.push_back(&peer);
    }
    if (pod.netns.empty() || echoes.empty() || is_explained(pod)) return;
    Wire wire;
    const Dropped before = Dropped::now();
    std::vector<EchoResult> results;
    std::uint16_t id = 0;
    {
      const auto inside = netlink::Netns::open(pod.netns);
      const netlink::NetnsScope scope(inside, home_);
      Pinger pinger;
      id = pinger.id();
      results = pinger.ask(echoes, false, {.tries = 2, .wait_ms = 500});
    }
    Observed observed{wire.take(id), Dropped::now().since(before), {}};
    for (const Echo& echo : echoes) observed.asked.insert(echo.to);
    std::vector<std::size_t> silent;
    std::vector<IpAddress> nodes;
    for (std::size_t i = 0; i < results.size(); ++i)
      if (!results[i].answered()) {
        silent.push_back(i);
        nodes.push_back(asked[i]->node_address);
      }
    const auto doubles = find_doubles(question_.host, nodes);
    for (std::size_t at = 0; at < silent.size(); ++at) {
      const std::size_t i = silent[at];
      judge(pod, *asked[i], echoes[i].to, results[i], observed, doubles[at]);
    }
    if (!is_explained(pod)) check_tcp(pod, asked, echoes);
  }

 private:
  // What was seen while a pod asked.
  struct Observed {
    std::vector<Sight> sights;
    std::string droppers;  // in words; empty: nothing was counted
    std::set<IpAddress> asked;
  };

  void check_address(PodCheck& pod, const IpAddress& address, const std::vector<netlink::Route>& routes) {
    const auto route = std::find_if(routes.begin(), routes.end(), [&](const netlink::Route& each) {
      return each.dst == IpPrefix::host(address);
    });
    if (route == routes.end())
      blame(pod, "route-missing",
            fmt::format("the host's route is missing: ip route add {} dev {} scope link proto 169",
                        IpPrefix::host(address).to_string(), pod.link.name));
    if (route != routes.end()) check_way(pod, address);
    const auto neighbour = netlink::find_neighbour(socket_, pod.link.index, address);
    if (neighbour && neighbour->state == NUD_FAILED)
      blame(pod, "neighbour-failed",
            fmt::format("nobody answers for {} on its interface", address.to_string()));
    if (!neighbour || (neighbour->state & NUD_PERMANENT) == 0) return;
    const auto peer = netlink::find_peer(socket_, pod.link);
    if (peer && peer->mac && neighbour->mac != *peer->mac)
      blame(pod, "neighbour-wrong",
            fmt::format("the host has {} for the MAC of {}, the pod has {}", neighbour->mac.to_string(),
                        address.to_string(), peer->mac->to_string()));
  }

  // Policy rules may lead what this node sends from its own address elsewhere than the rest.
  void check_way(PodCheck& pod, const IpAddress& address) {
    auto way = netlink::lookup_route(socket_, address);
    std::string packets = "packets";
    const auto is_right = [&] { return way && way->link == pod.link.index; };
    for (const IpAddress& own : question_.own)
      if (is_right() && own.family() == address.family()) {
        way = netlink::lookup_forward(socket_, {address, own});
        packets = "packets from " + own.to_string();
      }
    if (!is_right())
      blame(pod, "route-overridden",
            fmt::format("{} to {} take {}", packets, address.to_string(), words_of(socket_, way)));
  }

  static bool is_own(const PodCheck& pod, const IpAddress& address) {
    return std::find(pod.addresses.begin(), pod.addresses.end(), address) != pod.addresses.end();
  }

  static bool is(const std::optional<netlink::Link>& device, std::uint32_t link) {
    return device && device->index == link;
  }

  // Policy rules may send a pod's packets another way than this host's.
  bool judge_way(PodCheck& pod, const std::string& whom, const IpAddress& to) {
    const auto from = std::find_if(pod.addresses.begin(), pod.addresses.end(),
                                   [&](const IpAddress& each) { return each.family() == to.family(); });
    if (from == pod.addresses.end()) return false;
    const auto own = netlink::lookup_route(socket_, to);
    const auto its = netlink::lookup_forward(socket_, {to, *from, pod.link.index});
    if (own && its && own->link == its->link && own->gateway == its->gateway) return false;
    blame(pod, "pod-route",
          fmt::format("what it sends to {} takes {}, what this node sends there takes {}: a rule for what is "
                      "from pods (ip rule)",
                      whom, words_of(socket_, its), words_of(socket_, own)));
    return true;
  }

  // Packets to pods of other nodes must keep their source, all packets their destination.
  bool judge_changed(PodCheck& pod, const PeerCheck& peer, const IpAddress& to, const Observed& observed) {
    for (const Sight& sight : observed.sights) {
      if (!sight.is_leaving || sight.is_reply || sight.link == pod.link.index) continue;
      const bool other_source =
          sight.destination == to && to != peer.node_address && !is_own(pod, sight.source);
      const bool other_destination = is_own(pod, sight.source) && !observed.asked.contains(sight.destination);
      if (!other_source && !other_destination) continue;
      blame(pod, "address-translated",
            fmt::format("what it sends to {} ({}) leaves this node {} {}: a nat chain (nft list ruleset, "
                        "iptables -t nat -S)",
                        peer.peer, to.to_string(), other_source ? "from" : "for",
                        (other_source ? sight.source : sight.destination).to_string()));
      return true;
    }
    return false;
  }

  // Pings to other pods pass, but a rule may match protocols. Skips nodes, which may refuse pods' TCP on purpose.
  void check_tcp(PodCheck& pod, const std::vector<const PeerCheck*>& asked, const std::vector<Echo>& echoes) {
    std::vector<IpAddress> pods;
    std::vector<const PeerCheck*> owners;
    for (std::size_t i = 0; i < echoes.size(); ++i) {
      if (!is_local(*asked[i]) && asked[i]->pod_address != echoes[i].to) continue;
      pods.push_back(echoes[i].to);
      owners.push_back(asked[i]);
    }
    if (pods.empty()) return;
    const auto own = answer_tcp(pods);
    std::vector<bool> its;
    {
      const auto inside = netlink::Netns::open(pod.netns);
      const netlink::NetnsScope scope(inside, home_);
      its = answer_tcp(pods);
    }
    for (std::size_t i = 0; i < pods.size(); ++i)
      if (own[i] && !its[i])
        blame(
            pod, "tcp-dropped",
            fmt::format(
                "its pings to {} ({}) pass but its TCP does not, while this node's own does: a rule that "
                "matches protocols or ports, here or there (nft list ruleset, ip rule), or a network policy",
                owners[i]->peer, pods[i].to_string()));
  }

  bool judge_source(PodCheck& pod, const std::string& whom, const IpAddress& to, const Observed& observed) {
    for (const Sight& sight : observed.sights) {
      if (sight.is_leaving || sight.is_reply || sight.link != pod.link.index || sight.destination != to ||
          is_own(pod, sight.source))
        continue;
      blame(pod, "pod-source",
            fmt::format(
                "what it sends to {} comes from {}, which is not its address: its own routes (src) or rules",
                whom, sight.source.to_string()));
      return true;
    }
    return false;
  }

  // There is only one right way to another pod here, whatever marks and rules say.
  bool judge_local_way(PodCheck& pod, const std::string& whom, const IpAddress& to,
                       const Observed& observed) {
    const auto way = netlink::lookup_route(socket_, to);
    for (const Sight& sight : observed.sights) {
      if (!sight.is_leaving || sight.is_reply || sight.destination != to || (way && sight.link == way->link))
        continue;
      const auto link = netlink::find_link(socket_, sight.link);
      blame(pod, "pod-route",
            fmt::format("what it sends to {} leaves through {}: a rule by mark, protocol or port (ip rule)",
                        whom, link ? link->name : question_.host.link_name(sight.link)));
      return true;
    }
    return false;
  }

  // All that came of the answer was for somebody else: that node still has the MAC of another interface for this one.
  static bool judge_mac_of_answer(PodCheck& pod, const PeerCheck& peer, const std::string& whom,
                                  const IpAddress& to, const Observed& observed) {
    const auto is_for_us = [&](const Sight& sight) {
      return !sight.is_leaving && sight.is_reply && sight.source == to && !sight.is_for_another;
    };
    if (std::any_of(observed.sights.begin(), observed.sights.end(), is_for_us)) return false;
    blame_peer(
        pod, "dropped-here", peer,
        fmt::format("the answer of {} to a pod arrives for another MAC than this node's: {} has a wrong "
                    "neighbour for this node (ip neigh, there)",
                    whom, peer.peer));
    return true;
  }

  // The answer came, but in a tunnel that this node does not have.
  bool judge_tunnel_of_answer(PodCheck& pod, const PeerCheck& peer, const std::string& whom,
                              const IpAddress& to, const Observed& observed) {
    for (const Sight& sight : observed.sights) {
      if (sight.is_leaving || !sight.is_reply || sight.source != to || !sight.outer_source) continue;
      const bool vxlan = sight.vxlan_port != 0;
      if (vxlan ? question_.host.vxlan.has_value() : question_.host.tunnel.has_value()) continue;
      blame_peer(
          pod, "other-mode", peer,
          fmt::format(
              "{} ({}): the answer of {} comes through {}, which this node does not have: {} of the two "
              "nodes' files differ",
              peer.peer, peer.cidr.to_string(), whom, vxlan ? "VXLAN" : "IPIP",
              vxlan ? "vxlanMode" : "ipipMode"));
      return true;
    }
    return false;
  }

  void judge(PodCheck& pod, const PeerCheck& peer, const IpAddress& to, const EchoResult& result,
             const Observed& observed, const std::string& doubles) {
    const auto& sights = observed.sights;
    const std::string& droppers = observed.droppers;
    const auto seen = [&](bool leaving, bool reply, bool at_pod) {
      return std::any_of(sights.begin(), sights.end(), [&](const Sight& sight) {
        const bool of_it = (reply ? sight.source : sight.destination) == to;
        // On a tunnel's own device it has not left the host.
        const bool here = is(question_.host.tunnel, sight.link) || is(question_.host.vxlan, sight.link);
        return of_it && sight.is_reply == reply && sight.is_leaving == leaving &&
               (sight.link == pod.link.index) == at_pod && (at_pod || !here);
      });
    };
    const std::string whom = fmt::format("{} ({})", peer.peer, to.to_string());
    if (result.what == EchoResult::What::unsent)
      return blame(pod, "pod-cannot-send",
                   fmt::format("the pod itself cannot send to {}: {}", whom, words_of_unsent(result.error)));
    const std::string here = droppers.empty()
                                 ? words_of(result,
                                            "a forward, prerouting or raw chain drops it (nft list "
                                            "ruleset, iptables-legacy -S FORWARD), a rule (ip rule), or "
                                            "a queue (tc -s qdisc)")
                                 : droppers;
    if (judge_way(pod, whom, to)) return;
    if (!to.is_v4())  // Wire sees IPv4 only
      return blame(pod, "pod-unanswered",
                   fmt::format("what it sends to {} is not answered, though this node is: a forward chain or "
                               "a rule here, its own, or that node",
                               whom));
    if (!seen(false, false, true) && !pod.has_gateway)
      return blame(
          pod, "pod-neighbour",
          fmt::format("the pod has lost its gateway's neighbour: ip neigh replace {} dev {} lladdr {} nud "
                      "permanent, in the pod",
                      gateway, pod.ifname, pod.link.mac ? pod.link.mac->to_string() : "?"));
    if (!seen(false, false, true))
      return blame(pod, "pod-silent",
                   fmt::format("what it sends to {} does not arrive at the host's end: its own routes, "
                               "rules, firewall or queue",
                               whom));
    if (judge_source(pod, whom, to, observed) || judge_changed(pod, peer, to, observed)) return;
    if (is_local(peer) && judge_local_way(pod, whom, to, observed)) return;
    if (!seen(true, false, false))
      return blame(pod, "forward-dropped",
                   fmt::format("what it sends to {} is dropped on this node: {}", whom, here));
    if (to != peer.node_address && to != peer.far_address) return;
    if (!seen(false, true, false)) {
      if (is_local(peer))
        return blame(
            pod, "pod-unanswered",
            fmt::format("what it sends to {} reaches that pod, which does not answer it: that pod drops "
                        "what is from {}",
                        whom, pod.addresses.front().to_string()));
      if (!doubles.empty())
        return blame_peer(pod, "duplicate-address", peer,
                          fmt::format("{} ({}): {}", peer.peer, peer.cidr.to_string(), doubles));
      return blame_peer(
          pod, "pod-unanswered", peer,
          fmt::format(
              "container {} ({}): what it sends to {} leaves this node, and nothing comes back, though this "
              "node itself is answered: that node or the network drops what is from {}",
              pod.container, pod.link.name, whom, pod.addresses.front().to_string()));
    }
    if (judge_tunnel_of_answer(pod, peer, whom, to, observed)) return;
    if (seen(true, true, true))
      return blame(
          pod, "pod-drops",
          fmt::format("the answer of {} reaches the pod's interface, and the pod itself drops it", whom));
    if (judge_mac_of_answer(pod, peer, whom, to, observed)) return;
    blame(pod, "forward-dropped",
          fmt::format("the answer of {} arrives and is dropped on this node: {}", whom, here));
  }

  netlink::Socket& socket_;
  const PodQuestion& question_;
  netlink::Netns home_;
};

}  // namespace

std::vector<PodCheck> find_pods(netlink::Socket& socket, const std::string& data_dir) {
  std::map<std::uint32_t, std::vector<IpAddress>> routed;
  const netlink::RouteFilter ours{.table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol};
  for (const netlink::Route& route : netlink::list_routes(socket, ours))
    if (is_attachment_route(route)) routed[route.link].push_back(route.dst.address);
  std::vector<PodCheck> pods;
  for (const netlink::Link& link : netlink::list_links(socket, "veth")) {
    const auto its = routed.find(link.index);
    auto pod = read_alias(link);
    if (!pod && its == routed.end()) continue;
    if (!pod) {
      pod.emplace().link = link;
      pod->container = "unknown";
    }
    if (its != routed.end()) pod->addresses = its->second;
    pods.push_back(std::move(*pod));
  }
  for (PodCheck& pod : pods) {
    add_own_word(socket, pod);
    const bool has_alias = !pod.network.empty();
    read_lease(data_dir, pod);
    if (!has_alias) blame_lost_alias(pod);
  }
  return pods;
}

std::optional<PeerCheck> find_answering(std::vector<PodCheck> pods) {
  Pinger pinger;
  ask_from_host(pinger, pods);
  const auto found =
      std::find_if(pods.begin(), pods.end(), [](const PodCheck& pod) { return pod.echo.answered(); });
  return found != pods.end() ? std::optional(as_peer(*found)) : std::nullopt;
}

ProblemList check_way_of_a_pod(netlink::Socket& socket, const PodQuestion& question,
                               std::vector<PodCheck> pods) {
  PodChecker checker(socket, question);
  find_namespaces(socket, pods);
  for (PodCheck& pod : pods) {
    checker.check_on_host(pod);
    if (pod.netns.empty() || !pod.problems.empty()) continue;
    checker.check_forwarding(pod);
    return pod.problems;
  }
  return {};
}

void check_pods(netlink::Socket& socket, const PodQuestion& question, std::vector<PodCheck>& pods) {
  PodChecker checker(socket, question);
  for (PodCheck& pod : pods) checker.check_on_host(pod);
  Pinger pinger;
  ask_from_host(pinger, pods);
  find_namespaces(socket, pods);
  // One pod stands for all when it comes to the way through this host.
  bool forwarded = false;
  for (PodCheck& pod : pods) {
    const bool look = question.thorough || !pod.echo.answered() || !forwarded;
    if (!look) continue;
    checker.check_inside(pod);
    if (forwarded && !question.thorough) continue;
    checker.check_forwarding(pod);
    forwarded = !pod.netns.empty();
  }
}

}  // namespace onlink::node
