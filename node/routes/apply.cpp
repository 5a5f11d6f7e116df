// SPDX-License-Identifier: Apache-2.0
#include "node/routes/apply.h"

#include <fmt/format.h>
#include <linux/ip.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <span>

#include "base/failure.h"
#include "netlink/fdb.h"
#include "netlink/forwarding.h"
#include "netlink/neighbour.h"
#include "netlink/route_key.h"
#include "netlink/sysctl.h"

namespace onlink::node {
namespace {

void attempt(Applied& applied, const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    applied.failures.emplace_back(failure.what());
  }
}

void create_tunnel(netlink::Socket& socket, const TunnelChanges& changes, const Host& host) {
  if (changes.remove_own && changes.local) netlink::delete_link_if_any(socket, *host.own_tunnel);
  try {
    socket.execute(netlink::create_ipip(host.tunnel_device(), changes.local));
  } catch (const Failure& failure) {
    // EEXIST: the module made tunl0 when it was loaded. EOPNOTSUPP: there is no module, as the next look will show.
    if (!(failure.already_exists() && !changes.local) && failure.error() != EOPNOTSUPP) throw;
  }
}

// Not through /proc/sys: that is read-only in a container.
netlink::Message loosen(const netlink::Link& link) {
  return netlink::set_ipv4_settings(link.index, link.name, {{IPV4_DEVCONF_RP_FILTER, 2}});
}

void add_end(netlink::Socket& socket, const netlink::Link& link, const IpPrefix& address) {
  socket.execute(netlink::add_address({link.index, address, 0, RT_SCOPE_UNIVERSE}, link.name));
}

void remove_ends(netlink::Socket& socket, const netlink::Link& link, const std::vector<IpPrefix>& addresses,
                 Applied& applied) {
  for (const IpPrefix& address : addresses)
    attempt(applied, [&] {
      try {
        socket.execute(netlink::delete_address({link.index, address, 0, 0}, link.name));
      } catch (const Failure& failure) {
        if (!failure.missing()) throw;
      }
    });
}

void apply_tunnel(netlink::Socket& socket, const TunnelChanges& changes, const Host& host, Applied& applied) {
  if (changes.create) attempt(applied, [&] { create_tunnel(socket, changes, host); });
  const auto link = changes.create ? netlink::find_link(socket, host.tunnel_device()) : host.tunnel;
  if (!link) return;  // the failure to create it is told
  if (changes.pmtudisc)
    attempt(applied,
            [&] { netlink::change_ipip(link->name, link->ipip ? link->ipip->ttl : std::uint8_t{0}, true); });
  if (changes.mtu != 0 && changes.mtu != link->mtu)
    attempt(applied, [&] { socket.execute(netlink::set_link_mtu(link->index, link->name, changes.mtu)); });
  if (changes.add_address) attempt(applied, [&] { add_end(socket, *link, *changes.add_address); });
  if (changes.loose || (changes.create && is_strict(*link)))
    attempt(applied, [&] { socket.execute(loosen(*link)); });
  if (changes.up) attempt(applied, [&] { socket.execute(netlink::set_link_up(link->index, link->name)); });
}

void make_vxlan(netlink::Socket& socket, const VxlanChanges& changes) {
  const WantedVxlan& wanted = *changes.create;
  socket.execute(netlink::create_vxlan(vxlan_name, wanted.settings, wanted.mac, wanted.mtu));
}

// One message for each route, made a batch at a time: thousands of them would take megabytes.
template <class Object>
void run(netlink::Socket& socket, const std::vector<Object>& routes,
         const std::function<netlink::Message(const Object&)>& message,
         const std::function<void(const Object&, const Failure&)>& refused) {
  std::vector<netlink::Message> messages;
  for (std::size_t at = 0; at < routes.size(); at += netlink::Socket::batch) {
    const auto part = std::span(routes).subspan(at, std::min(netlink::Socket::batch, routes.size() - at));
    messages.clear();
    std::transform(part.begin(), part.end(), std::back_inserter(messages), message);
    const auto outcomes = socket.execute_each(messages);
    for (std::size_t i = 0; i < part.size(); ++i)
      if (outcomes[i]) refused(part[i], *outcomes[i]);
  }
}

// For both kinds of entries. An entry to be removed may be gone already.
template <class Entry, class ToMessage>
void set_entries(netlink::Socket& socket, const std::vector<Entry>& entries, Applied& applied,
                 const ToMessage& message) {
  run<Entry>(
      socket, entries, [&](const Entry& entry) { return message(entry, vxlan_name); },
      [&](const Entry&, const Failure& failure) {
        if (!failure.missing()) applied.failures.emplace_back(failure.what());
      });
}

void apply_vxlan(netlink::Socket& socket, const VxlanChanges& changes, const netlink::Link& link,
                 Applied& applied) {
  if (changes.mtu != 0)
    attempt(applied, [&] { socket.execute(netlink::set_link_mtu(link.index, link.name, changes.mtu)); });
  for (const IpPrefix& address : changes.add_addresses)
    attempt(applied, [&] { add_end(socket, link, address); });
  if (changes.loose) attempt(applied, [&] { socket.execute(loosen(link)); });
  if (changes.up) attempt(applied, [&] { socket.execute(netlink::set_link_up(link.index, link.name)); });
  set_entries(socket, changes.wrong_fdb, applied, netlink::delete_fdb_entry);
  set_entries(socket, changes.add.fdb, applied, netlink::set_fdb_entry);
  set_entries(socket, changes.add.neighbours, applied, netlink::add_neighbour);
}

void remove_vxlan(netlink::Socket& socket, const VxlanChanges& changes, const netlink::Link& link,
                  Applied& applied) {
  if (!changes.remove.empty()) return attempt(applied, [&] { netlink::delete_link_if_any(socket, link); });
  set_entries(socket, changes.remove_entries.neighbours, applied, netlink::delete_neighbour);
  set_entries(socket, changes.remove_entries.fdb, applied, netlink::delete_fdb_entry);
  remove_ends(socket, link, changes.remove_addresses, applied);
}

// The kernel's word for a route that is gone already is also that for one that does not match.
void remove_routes(netlink::Socket& socket, const std::vector<netlink::Route>& routes, const Host& host,
                   Applied& applied) {
  std::multimap<netlink::Route, Failure, decltype(&netlink::key_before)> not_found(netlink::key_before);
  applied.messages += routes.size();
  run<netlink::Route>(
      socket, routes,
      [&](const netlink::Route& route) { return netlink::delete_route(route, host.link_name(route.link)); },
      [&](const netlink::Route& route, const Failure& failure) {
        if (failure.missing()) return (void)not_found.emplace(route, failure);
        applied.failures.emplace_back(failure.what());
      });
  if (not_found.empty()) return;
  attempt(applied, [&] {
    const netlink::RouteFilter ours{.table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol};
    for (const netlink::Route& each : netlink::list_routes(socket, ours)) {
      const netlink::Route route = netlink::normalised(each);
      const auto [first, last] = not_found.equal_range(route);
      for (auto each_of_key = first; each_of_key != last; ++each_of_key)
        if (each_of_key->first == route)
          applied.failures.push_back(fmt::format("{}, but the kernel lists it", each_of_key->second.what()));
    }
  });
}

}  // namespace

Applied apply_basics(netlink::Socket& socket, const Changes& changes, const Host& host) {
  Applied applied;
  if (changes.forwarding_v4) attempt(applied, [] { netlink::write_sysctl("net/ipv4/ip_forward", "1"); });
  for (const std::string& link : changes.accept_ra)
    attempt(applied, [&] { netlink::write_sysctl(netlink::accept_ra_setting(link), "2"); });
  if (changes.forwarding_v6)
    attempt(applied, [] { netlink::write_sysctl("net/ipv6/conf/all/forwarding", "1"); });
  apply_tunnel(socket, changes.tunnel, host, applied);
  if (changes.vxlan.create)
    attempt(applied, [&] { make_vxlan(socket, changes.vxlan); });
  else if (host.vxlan && changes.vxlan.remove.empty())
    apply_vxlan(socket, changes.vxlan, *host.vxlan, applied);
  return applied;
}

Applied apply_routes(netlink::Socket& socket, Changes& changes, const Host& host) {
  Applied applied;
  std::vector<netlink::Route> taken;
  const auto is_in = [](const std::vector<netlink::Route>& sorted, const netlink::Route& route) {
    return std::binary_search(sorted.begin(), sorted.end(), route, netlink::key_before);
  };
  const auto put = [&](const std::vector<netlink::Route>& routes, netlink::RouteMode mode) {
    applied.messages += routes.size();
    run<netlink::Route>(
        socket, routes,
        [&](const netlink::Route& route) {
          return netlink::add_route(route, mode, host.link_name(route.link));
        },
        [&](const netlink::Route& route, const Failure& failure) {
          if (failure.already_exists()) return taken.push_back(route);
          applied.failures.emplace_back(failure.what());
          applied.refused.push_back(route.dst);
        });
  };
  put(changes.add, netlink::RouteMode::create);
  remove_routes(socket, changes.remove, host, applied);
  // A foreign route that was behind one of ours may be the first by now.
  if (std::any_of(changes.remove.begin(), changes.remove.end(),
                  [&](const netlink::Route& route) { return is_in(changes.replace, route); }))
    set_apart(host, changes.replace, find_holders(socket, changes.replace), changes.conflicts);
  put(changes.replace, netlink::RouteMode::replace);
  if (taken.empty()) return applied;
  std::sort(taken.begin(), taken.end(), netlink::key_before);
  std::erase_if(changes.add, [&](const netlink::Route& route) { return is_in(taken, route); });
  set_apart(host, taken, find_holders(socket, taken), changes.conflicts);
  // Routes of ours that appeared since the last look: the next pass sees them.
  for (const netlink::Route& route : taken) {
    applied.failures.push_back(fmt::format("add route {}: another process added it first",
                                           netlink::to_string(route, host.link_name(route.link))));
    applied.refused.push_back(route.dst);
  }
  return applied;
}

Applied apply_removals(netlink::Socket& socket, const Changes& changes, const Host& host) {
  Applied applied;
  if (host.tunnel) remove_ends(socket, *host.tunnel, changes.tunnel.remove_addresses, applied);
  if (changes.tunnel.remove_own && !changes.tunnel.local)
    attempt(applied, [&] { netlink::delete_link_if_any(socket, *host.own_tunnel); });
  if (host.vxlan && !changes.vxlan.create) remove_vxlan(socket, changes.vxlan, *host.vxlan, applied);
  return applied;
}

}  // namespace onlink::node
