// SPDX-License-Identifier: Apache-2.0
#include "node/routes/pods.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/failure.h"
#include "netlink/neighbour.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

bool is_host_end(const netlink::Link& link) {
  return link.kind == "veth" && link.alias.starts_with(netlink::host_end_alias);
}

bool is_of_ipv6_link(const netlink::Address& address) {
  return !address.prefix.address.is_v4() && address.scope == RT_SCOPE_LINK;
}

netlink::Route route_to(const IpAddress& address, const netlink::Link& link) {
  netlink::Route route;
  route.dst = IpPrefix::host(address);
  route.link = link.index;
  route.protocol = netlink::onlink_protocol;
  route.scope = address.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return route;
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

// By interface; of one, or of all where link is 0.
std::map<std::uint32_t, std::set<IpAddress>> permanent_neighbours(netlink::Socket& socket,
                                                                  std::uint32_t link = 0) {
  std::map<std::uint32_t, std::set<IpAddress>> addresses;
  for (const netlink::Neighbour& neighbour : netlink::list_neighbours(socket, link))
    if ((neighbour.state & NUD_PERMANENT) != 0) addresses[neighbour.link].insert(neighbour.address);
  return addresses;
}

}  // namespace

void PodRoutes::see(const nlmsghdr& message) {
  if (const auto route = netlink::parse_route(message))
    return see_route(*route, message.nlmsg_type == RTM_NEWROUTE);
  if (const auto neighbour = netlink::parse_neighbour(message))
    return see_neighbour(*neighbour, message.nlmsg_type == RTM_NEWNEIGH);
  if (const auto address = netlink::parse_address(message)) {
    if (message.nlmsg_type == RTM_NEWADDR && is_of_ipv6_link(*address))
      ends_[address->link].own.insert(address->prefix);
    return;
  }
  const auto link = netlink::parse_link(message);
  if (!link || !ends_.contains(link->index)) return;
  if (message.nlmsg_type == RTM_DELLINK) {
    ends_.erase(link->index);
    return;
  }
  const bool up = (link->flags & IFF_UP) != 0;
  if (std::exchange(ends_[link->index].down, !up) && up) due_.insert(link->index);
}

// What somebody puts in the place of a pod's route, or takes away from there, concerns the pod too.
void PodRoutes::see_route(const netlink::Route& route, bool is_new) {
  if (route.table != RT_TABLE_MAIN || !route.dst.is_host()) return;
  const bool is_attachments = is_attachment_route(route);
  if (is_attachments && is_new) ends_[route.link].pod.insert(route.dst.address);
  for (const auto& [index, end] : ends_)
    if (end.pod.contains(route.dst.address) && !(is_new && is_attachments && route.link == index))
      due_.insert(index);
}

void PodRoutes::see_neighbour(const netlink::Neighbour& neighbour, bool is_new) {
  const auto end = ends_.find(neighbour.link);
  if (end == ends_.end()) return;
  if (is_new && (neighbour.state & NUD_PERMANENT) != 0)
    end->second.known.insert(neighbour.address);
  else if (end->second.known.contains(neighbour.address))
    due_.insert(neighbour.link);
}

void PodRoutes::look(netlink::Socket& socket) {
  std::map<std::uint32_t, std::set<IpAddress>> routed;
  const netlink::RouteFilter ours{.table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol};
  for (const netlink::Route& route : netlink::list_routes(socket, ours))
    if (is_attachment_route(route)) routed[route.link].insert(route.dst.address);
  std::map<std::uint32_t, std::set<IpPrefix>> own;
  for (const netlink::Address& address : netlink::list_addresses(socket))
    if (is_of_ipv6_link(address)) own[address.link].insert(address.prefix);
  auto permanent = permanent_neighbours(socket);
  std::map<std::uint32_t, End> ends;
  std::set<std::uint32_t> bare;
  for (const netlink::Link& link : netlink::list_links(socket, "veth")) {
    if (!is_host_end(link)) continue;
    End& end = ends[link.index] = ends_[link.index];
    end.down = (link.flags & IFF_UP) == 0;
    const auto& has = routed[link.index];
    const bool lacks = !std::includes(has.begin(), has.end(), end.pod.begin(), end.pod.end());
    if (has.empty() && end.pod.empty()) bare.insert(link.index);
    if (bare.contains(link.index) && bare_.contains(link.index)) unseen_.insert(link.index);
    if (lacks || unseen_.contains(link.index)) due_.insert(link.index);
    end.pod.insert(has.begin(), has.end());
    end.known.merge(permanent[link.index]);
    end.own.merge(own[link.index]);
  }
  ends_ = std::move(ends);
  std::erase_if(bare, [&](std::uint32_t index) { return due_.contains(index); });
  bare_ = std::move(bare);
}

std::vector<std::string> PodRoutes::mend(netlink::Socket& socket) {
  std::vector<std::string> done;
  for (const std::uint32_t index : std::exchange(due_, {})) {
    const auto link = netlink::find_link(socket, index);
    if (!link || !is_host_end(*link)) {
      ends_.erase(index);
      continue;
    }
    if ((link->flags & IFF_UP) == 0) {
      ends_[index].down = true;  // when it is up again
      continue;
    }
    try {
      mend(socket, *link, done);
    } catch (const Failure& failure) {
      done.emplace_back(failure.what());
    }
  }
  return done;
}

void PodRoutes::mend(netlink::Socket& socket, const netlink::Link& link, std::vector<std::string>& done) {
  const auto peer = netlink::find_peer(socket, link);
  if (!peer || !peer->mac) return;  // its sandbox is about to go
  End& end = ends_[link.index];
  if (unseen_.erase(link.index) != 0 && end.pod.empty()) end.pod = addresses_of_pod(socket, link);
  std::set<IpAddress> routed;
  for (const netlink::Route& route :
       netlink::list_routes(socket, {.table = RT_TABLE_MAIN, .link = link.index}))
    if (is_attachment_route(route)) routed.insert(route.dst.address);
  const auto permanent = permanent_neighbours(socket, link.index)[link.index];
  for (const IpPrefix& own : end.own)  // an interface that is set down loses its IPv6 addresses
    socket.execute(netlink::add_address({link.index, own, 0, RT_SCOPE_LINK}, link.name));
  for (const IpAddress& address : end.pod) {
    const bool has_route = routed.contains(address);
    if (has_route) end.taken.erase(address);
    // Not one that was never there beside a route that is.
    if (!permanent.contains(address) && (!has_route || end.known.contains(address))) {
      socket.execute(netlink::add_neighbour({link.index, address, *peer->mac}, link.name));
      end.known.insert(address);
      if (has_route)
        done.push_back(fmt::format("ip neigh replace {} lladdr {} dev {} nud permanent (it was lost)",
                                   address.to_string(), peer->mac->to_string(), link.name));
    }
    if (!has_route) mend_route(socket, link, address, end, done);
  }
}

// A route of our protocol in its place is ours to replace, whatever its shape. Another's stays, until it goes.
void PodRoutes::mend_route(netlink::Socket& socket, const netlink::Link& link, const IpAddress& address,
                           End& end, std::vector<std::string>& done) {
  const netlink::Route route = route_to(address, link);
  const auto put = [&](netlink::RouteMode mode, const char* verb, const char* reason) {
    socket.execute(netlink::add_route(route, mode, link.name));
    end.taken.erase(address);
    done.push_back(fmt::format("ip route {} {} ({})", verb, netlink::to_string(route, link.name), reason));
  };
  try {
    return put(netlink::RouteMode::create, "add", "it was lost");
  } catch (const Failure& failure) {
    if (!failure.already_exists()) throw;
  }
  const auto holder = netlink::find_route(socket, route);
  const auto other = holder ? netlink::find_link(socket, holder->link) : std::nullopt;
  if (holder && holder->protocol == netlink::onlink_protocol && !(other && is_host_end(*other)))
    put(netlink::RouteMode::replace, "replace", "it led elsewhere");
  else if (end.taken.insert(address).second)
    done.push_back(fmt::format("{} of {} is routed elsewhere: left alone", address.to_string(), link.alias));
}

}  // namespace onlink::node
