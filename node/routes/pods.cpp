// SPDX-License-Identifier: Apache-2.0
#include "node/routes/pods.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include "base/failure.h"
#include "netlink/forwarding.h"
#include "netlink/neighbour.h"
#include "netlink/route_key.h"
#include "netlink/sysctl.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

bool is_host_end(const netlink::Link& link) {
  return link.kind == "veth" && link.alias.starts_with(netlink::host_end_alias);
}

bool is_of_ipv6_link(const netlink::Address& address) {
  return !address.prefix.address.is_v4() && address.scope == RT_SCOPE_LINK;
}

// As ADD makes it.
netlink::Route route_to(const IpAddress& address, std::uint32_t link) {
  netlink::Route route;
  route.dst = IpPrefix::host(address);
  route.link = link;
  route.protocol = netlink::onlink_protocol;
  route.scope = address.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return route;
}

bool is_as_made(const netlink::Route& route) {
  return netlink::normalised(route) == netlink::normalised(route_to(route.dst.address, route.link));
}

// With an MTU below 1280 an interface has no IPv6, and later it begins with the host's defaults: its pod could become this
// host's router, and has IPv6 even if its network has none. While the host itself does not forward, that is not the pod's
// affair.
std::vector<netlink::Sysctl> lost_settings(const netlink::Link& link,
                                           const std::function<bool()>& is_without_ipv6) {
  std::vector<netlink::Sysctl> lost;
  if (!link.ipv4_conf.empty() && link.ipv4_setting(IPV4_DEVCONF_FORWARDING) == 0 &&
      netlink::read_sysctl("net/ipv4/ip_forward") != "0")
    lost.emplace_back(fmt::format("net/ipv4/conf/{}/forwarding", link.name), "1");
  if (link.ipv6_conf.empty()) return lost;
  if (link.ipv6_setting(DEVCONF_ACCEPT_RA) != 0)
    lost.emplace_back(netlink::accept_ra_setting(link.name), "0");
  if (link.ipv6_setting(DEVCONF_ADDR_GEN_MODE) == IN6_ADDR_GEN_MODE_NONE) return lost;
  lost.emplace_back(fmt::format("net/ipv6/conf/{}/addr_gen_mode", link.name), "1");
  if (is_without_ipv6()) lost.emplace_back(fmt::format("net/ipv6/conf/{}/disable_ipv6", link.name), "1");
  return lost;
}

bool is_permanent(const netlink::Neighbour& neighbour) { return (neighbour.state & NUD_PERMANENT) != 0; }

bool is_learned(const netlink::Neighbour& neighbour) {
  return !is_permanent(neighbour) && (neighbour.flags & NTF_EXT_LEARNED) != 0;
}

// The addresses on the pod's own end that a plugin may have given: a /32 or /128.
std::set<IpAddress> addresses_of_pod(netlink::Socket& socket, const netlink::Link& link) {
  std::set<IpAddress> addresses;
  if (!link.peer_netns) return addresses;
  for (const netlink::Address& address : netlink::list_addresses_in(socket, *link.peer_netns, link.peer))
    if (address.link == link.peer && address.prefix.is_host() && address.scope == RT_SCOPE_UNIVERSE)
      addresses.insert(address.prefix.address);
  return addresses;
}

bool has_ipv6(const std::set<IpAddress>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [](const IpAddress& each) { return !each.is_v4(); });
}

// Asks each pod once.
class Pods {
 public:
  Pods(netlink::Socket& socket, const std::map<std::uint32_t, netlink::Link>& links)
      : socket_(socket), links_(links) {}
  const std::set<IpAddress>& addresses(std::uint32_t end) {
    const auto found = answers_.find(end);
    if (found != answers_.end()) return found->second;
    return answers_[end] = addresses_of_pod(socket_, links_.at(end));
  }

 private:
  netlink::Socket& socket_;
  const std::map<std::uint32_t, netlink::Link>& links_;
  std::map<std::uint32_t, std::set<IpAddress>> answers_;
};

// Whose an address is; 0: nobody's, or nobody can tell. A pod may give itself any address, so it is not enough that it has
// it. The neighbour that ADD made is the best witness, for whoever leads a route elsewhere does not move that. But a
// lone neighbour may be anything.
template <class Claims>
std::uint32_t owner_among(const IpAddress& address, const Claims& claims, Pods& pods) {
  const auto& [first, only] = *claims.begin();
  if (claims.size() == 1 && (only.remembered || only.route)) return first;
  std::tuple<bool, bool, bool, bool, bool> best;
  std::uint32_t owner = 0;
  for (const auto& [end, claim] : claims) {
    const bool has_it = pods.addresses(end).contains(address);
    if (!has_it && !claim.remembered && !claim.route) continue;
    const bool is_proven = claim.remembered && claim.neighbour;
    const std::tuple rank{is_proven, claim.neighbour, has_it, claim.remembered, claim.route};
    if (rank == best) owner = 0;
    if (rank > best) owner = end;
    best = std::max(best, rank);
  }
  return owner;
}

}  // namespace

// One end at work.
struct PodRoutes::Work {
  netlink::Socket& socket;
  const netlink::Link& link;
  const MacAddress& mac;  // the pod's
  const Host& host;
  End& end;
  std::vector<std::string>& done;
  std::set<std::string> failures = {};

  // A step that fails stops no other.
  void attempt(const std::function<void()>& step) {
    try {
      step();
    } catch (const Failure& failure) {
      failures.insert(failure.what());
    }
  }
};

void PodRoutes::see(const nlmsghdr& message) {
  if (const auto route = netlink::parse_route(message))
    see_route(*route, message.nlmsg_type == RTM_NEWROUTE);
  else if (const auto neighbour = netlink::parse_neighbour(message))
    see_neighbour(*neighbour, message.nlmsg_type == RTM_NEWNEIGH);
  else if (const auto address = netlink::parse_address(message))
    see_address(*address, message.nlmsg_type == RTM_NEWADDR);
  else if (const auto link = netlink::parse_link(message))
    see_link(*link, message.nlmsg_type == RTM_NEWLINK);
  else if (message.nlmsg_type == RTM_NEWNETCONF)
    see_settings(message);
}

void PodRoutes::see_settings(const nlmsghdr& message) {
  const auto index = netlink::parts_of<netconfmsg>(message).attributes.get(
      netlink::Attribute<std::int32_t>{NETCONFA_IFINDEX});
  const auto end = ends_.find(static_cast<std::uint32_t>(index.value_or(0)));
  if (end != ends_.end() && end->second.is_pods) due_.insert(end->first);
}

void PodRoutes::try_again_on(std::uint32_t link) {
  if (failing_.contains(link)) due_.insert(link);
}

void PodRoutes::see_link(const netlink::Link& link, bool is_new) {
  if (!is_new) {
    ends_.erase(link.index);
    return;
  }
  if (!is_host_end(link)) return;
  try_again_on(link.index);
  End& end = ends_[link.index];
  const bool up = (link.flags & IFF_UP) != 0;
  // The first news of an end come from its ADD.
  if (std::exchange(end.is_pods, true) && end.down && up) due_.insert(link.index);
  end.down = !up;
}

void PodRoutes::see_address(const netlink::Address& address, bool is_new) {
  if (is_new) try_again_on(address.link);
  if (!is_of_ipv6_link(address)) return;
  if (is_new)
    ends_[address.link].own.insert(address.prefix);
  else if (const auto end = ends_.find(address.link); end != ends_.end() && end->second.is_pods)
    due_.insert(address.link);
}

// What somebody puts in the place of a pod's route or beside it, or takes away from there, concerns the pod too.
void PodRoutes::see_route(const netlink::Route& route, bool is_new) {
  // Where IPv6 comes back on an interface, the kernel tells only of its multicast route.
  if (is_new) try_again_on(route.link);
  if (route.table != RT_TABLE_MAIN || !route.dst.is_host()) return;
  const bool as_made = is_new && is_as_made(route);
  bool is_owned = false;
  for (const auto& [index, end] : ends_) {
    if (!end.pod.contains(route.dst.address)) continue;
    is_owned = true;
    if (!as_made || route.link != index) due_.insert(index);
  }
  if (is_owned || !as_made) return;
  const auto end = ends_.find(route.link);
  if (end != ends_.end() && end->second.is_pods) end->second.pod.insert(route.dst.address);
}

void PodRoutes::see_neighbour(const netlink::Neighbour& neighbour, bool is_new) {
  const auto found = ends_.find(neighbour.link);
  if (found == ends_.end() || !found->second.is_pods) return;
  auto& entries = found->second.entries;
  const auto known = entries.find(neighbour.address);
  if (known == entries.end()) {
    if (is_new && (is_permanent(neighbour) || is_learned(neighbour)))
      entries[neighbour.address] = {is_learned(neighbour), neighbour.mac};
    return;
  }
  const Entry& entry = known->second;
  const bool is_right =
      entry.learned ? is_learned(neighbour) : is_permanent(neighbour) && neighbour.mac == entry.mac;
  if (!is_new || !is_right) due_.insert(neighbour.link);
}

PodRoutes::Host PodRoutes::read(netlink::Socket& socket) {
  Host host;
  const netlink::RouteFilter ours{.table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol};
  for (netlink::Route& route : netlink::list_routes(socket, ours))
    if (is_attachment_route(route)) host.routes[route.dst.address].push_back(netlink::normalised(route));
  for (const netlink::Neighbour& neighbour : netlink::list_neighbours(socket))
    if (is_permanent(neighbour) || is_learned(neighbour))
      host.neighbours[neighbour.link].emplace(neighbour.address, neighbour);
  for (const netlink::Address& address : netlink::list_addresses(socket))
    if (is_of_ipv6_link(address)) host.own[address.link][address.prefix] = address.flags;
  return host;
}

PodRoutes::Claims PodRoutes::claims(const Host& host, const std::map<std::uint32_t, End>& ends) {
  Claims claims;
  for (const auto& [index, end] : ends) {
    for (const IpAddress& address : end.pod) claims[address][index].remembered = true;
    for (const auto& [address, entry] : end.entries) claims[address][index].neighbour = true;
  }
  for (const auto& [address, routes] : host.routes)
    for (const netlink::Route& route : routes)
      if (ends.contains(route.link) && is_as_made(route)) claims[address][route.link].route = true;
  return claims;
}

void PodRoutes::look(netlink::Socket& socket) {
  const Host host = read(socket);
  std::map<std::uint32_t, netlink::Link> links;
  std::map<std::uint32_t, End> ends;
  for (netlink::Link& link : netlink::list_links(socket, "veth")) {
    if (!is_host_end(link)) continue;
    End& end = ends[link.index];
    if (const auto known = ends_.find(link.index); known != ends_.end()) end = known->second;
    end.is_pods = true;
    end.down = (link.flags & IFF_UP) == 0;
    if (const auto own = host.own.find(link.index); own != host.own.end())
      for (const auto& [address, flags] : own->second) end.own.insert(address);
    if (const auto there = host.neighbours.find(link.index); there != host.neighbours.end())
      for (const auto& [address, each] : there->second)
        end.entries.try_emplace(address, Entry{is_learned(each), each.mac});
    links.emplace(link.index, std::move(link));
  }
  Pods pods(socket, links);
  Claims all = claims(host, ends);
  std::set<std::uint32_t> bare;
  for (const auto& [index, end] : ends) bare.insert(index);
  for (const auto& [address, claims] : all)
    for (const auto& [index, claim] : claims) bare.erase(index);
  for (const std::uint32_t index : bare)
    if (bare_.contains(index))
      for (const IpAddress& address : pods.addresses(index)) all[address][index];
  for (auto& [index, end] : ends) end.pod.clear();
  for (const auto& [address, claims] : all)
    if (const std::uint32_t owner = owner_among(address, claims, pods); owner != 0)
      ends[owner].pod.insert(address);
  for (const auto& [index, end] : ends)
    if (!end.pod.empty()) due_.insert(index);
  ends_ = std::move(ends);
  std::erase_if(bare, [&](std::uint32_t index) { return bare_.contains(index); });
  bare_ = std::move(bare);
}

std::vector<std::string> PodRoutes::failures() const {
  std::vector<std::string> failures;
  for (const auto& [index, end] : ends_)
    failures.insert(failures.end(), end.failures.begin(), end.failures.end());
  return failures;
}

std::vector<std::string> PodRoutes::mend(netlink::Socket& socket) {
  std::vector<std::string> done;
  std::optional<Host> host;  // read for the first end that still exists
  for (const std::uint32_t index : std::exchange(due_, {})) {
    failing_.erase(index);
    try {
      mend(socket, index, host, done);
    } catch (const Failure& failure) {
      failing_.insert(index);
      ends_[index].failures = {failure.what()};
    }
  }
  return done;
}

void PodRoutes::mend(netlink::Socket& socket, std::uint32_t index, std::optional<Host>& host,
                     std::vector<std::string>& done) {
  const auto link = netlink::find_link(socket, index);
  if (!link || !is_host_end(*link)) {
    ends_.erase(index);
    return;
  }
  End& end = ends_[index];
  end.down = (link->flags & IFF_UP) == 0;
  if (end.down) return;  // when it is up again
  const auto peer = netlink::find_peer(socket, *link);
  if (!peer || !peer->mac) return;  // its sandbox is about to go
  if (!host) host = read(socket);
  Work work{socket, *link, *peer->mac, *host, end, done};
  const auto is_without_ipv6 = [&] {
    return !end.pod.empty() && !has_ipv6(end.pod) && link->peer_netns &&
           !has_ipv6(addresses_of_pod(socket, *link));
  };
  for (const auto& [name, value] : lost_settings(*link, is_without_ipv6))
    work.attempt([&, name = name, value = value] {
      netlink::write_sysctl(name, value);
      done.push_back(fmt::format("sysctl -w {}={} (it was lost)", name, value));
    });
  // An interface that is set down loses its IPv6 addresses. Those that the kernel makes itself have a route for their prefix,
  // with which the pod could fill the host's table of neighbours.
  for (const IpPrefix& address : end.own)
    if (has_ipv6(end.pod) && (host->own[index][address] & IFA_F_NOPREFIXROUTE) == 0)
      work.attempt([&] {
        socket.execute(
            netlink::add_address({index, address, IFA_F_NOPREFIXROUTE, RT_SCOPE_LINK}, link->name));
      });
  for (const IpAddress& address : end.pod) work.attempt([&] { mend_address(work, address); });
  if (!work.failures.empty()) failing_.insert(index);
  end.failures = std::move(work.failures);
}

void PodRoutes::mend_address(Work& work, const IpAddress& address) {
  const netlink::Route made = route_to(address, work.link.index), wanted = netlink::normalised(made);
  const auto found = work.host.routes.find(address);
  const auto there = found == work.host.routes.end() ? std::vector<netlink::Route>() : found->second;
  const bool has_route = std::find(there.begin(), there.end(), wanted) != there.end();
  mend_neighbour(work, address, has_route);
  if (!has_route) mend_route(work, made);
  for (const netlink::Route& other : there) {
    const bool is_replaced = !has_route && other.link == wanted.link && same_key(other, wanted);
    if (other == wanted || is_replaced) continue;
    const auto device = netlink::find_link(work.socket, other.link);
    const std::string name = device ? device->name : fmt::format("if{}", other.link);
    try {
      work.socket.execute(netlink::delete_route(other, name));
      work.done.push_back(
          fmt::format("ip route del {} (it led elsewhere)", netlink::to_arguments(other, name)));
    } catch (const Failure& failure) {
      if (!failure.missing()) throw;  // wanted may have replaced it
    }
  }
}

// Not one that was never there beside a route that is.
void PodRoutes::mend_neighbour(Work& work, const IpAddress& address, bool has_route) {
  const auto known = work.end.entries.find(address);
  const bool is_known = known != work.end.entries.end();
  if (has_route && !is_known) return;
  const bool learned = is_known && known->second.learned;
  netlink::Neighbour wanted{work.link.index, address, work.mac};
  if (learned) wanted = {wanted.link, address, {}, NUD_NONE, NTF_EXT_LEARNED};
  const auto here = work.host.neighbours.find(work.link.index);
  if (here != work.host.neighbours.end())
    if (const auto there = here->second.find(address); there != here->second.end()) {
      const netlink::Neighbour& now = there->second;
      if (learned ? is_learned(now) : is_permanent(now) && now.mac == work.mac) return;
    }
  work.socket.execute(netlink::add_neighbour(wanted, work.link.name));
  work.end.entries[address] = {learned, work.mac};
  if (has_route)
    work.done.push_back(
        fmt::format("ip neigh replace {} {} dev {} (it was lost)", address.to_string(),
                    learned ? "nud none extern_learn" : "lladdr " + work.mac.to_string() + " nud permanent",
                    work.link.name));
}

// A route of our protocol in its place is ours to replace, whatever its shape. Another's stays, until it goes.
void PodRoutes::mend_route(Work& work, const netlink::Route& wanted) {
  const IpAddress& address = wanted.dst.address;
  const auto put = [&](netlink::RouteMode mode, const char* verb, const char* reason) {
    work.socket.execute(netlink::add_route(wanted, mode, work.link.name));
    work.done.push_back(
        fmt::format("ip route {} {} ({})", verb, netlink::to_string(wanted, work.link.name), reason));
  };
  try {
    return put(netlink::RouteMode::create, "add", "it was lost");
  } catch (const Failure& failure) {
    if (!failure.already_exists()) throw;
  }
  const auto holder = netlink::find_route(work.socket, wanted);
  if (holder && holder->protocol == netlink::onlink_protocol)
    put(netlink::RouteMode::replace, "replace", "it led elsewhere");
  else
    work.failures.insert(
        fmt::format("{} of {} is routed elsewhere: left alone", address.to_string(), work.link.alias));
}

}  // namespace onlink::node
