// SPDX-License-Identifier: Apache-2.0
#include "plugin/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "netlink/address_watch.h"
#include "netlink/forwarding.h"
#include "netlink/route_key.h"
#include "netlink/sysctl.h"
#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

using netlink::Message;
using netlink::Route;
using netlink::RouteMode;

constexpr std::uint32_t loopback_index = 1;  // LOOPBACK_IFINDEX, in every namespace

struct PairIndexes {
  std::uint32_t host = 0;
  std::uint32_t container = 0;
};

// The kernel may have created the pair although its answer did not reach us. Then the pair has our name, and
// still no alias.
void remove_unanswered_pair(const AttachmentPlan& plan, Host& host, Failure& cause) {
  try {
    const auto link = netlink::find_link(host.socket, plan.host.name);
    if (link && link->kind == "veth" && link->alias.empty())
      host.socket.execute(netlink::delete_link(link->index, link->name));
  } catch (const Failure& failure) {
    cause.append_detail(failure.what());
  }
}

PairIndexes request_pair(const AttachmentPlan& plan, Host& host, const Sandbox& sandbox) {
  std::vector<Message> messages;
  messages.push_back(netlink::create_veth({plan.host.name, plan.host.mac, plan.mtu, plan.container.name,
                                           plan.container.mac, &sandbox.netns, plan.unfinished_group}));
  messages.push_back(netlink::get_link(plan.host.name));
  PairIndexes pair;
  const auto read_pair = [&](std::size_t, const nlmsghdr& answer) {
    if (const auto link = netlink::parse_link(answer)) pair = {link->index, link->peer};
  };
  std::vector<std::optional<Failure>> outcomes;
  std::optional<Failure> unanswered;
  try {
    outcomes = host.socket.execute_each(messages, read_pair);
    unanswered = outcomes.back();
  } catch (const Failure& failure) {
    unanswered = failure;
  }
  if (!outcomes.empty() && outcomes.front()) throw std::move(*outcomes.front());  // then there is no pair
  if (!unanswered) return pair;
  remove_unanswered_pair(plan, host, *unanswered);
  throw std::move(*unanswered);
}

// One of the names is taken: says whose it is.
Failure taken_name(const AttachmentPlan& plan, Host& host, Sandbox& sandbox, const Failure& refusal) {
  if (netlink::find_link(sandbox.socket, plan.container.name))
    return Failure(fmt::format("interface {} exists already in {}", plan.container.name, plan.netns), EEXIST);
  const auto holder = netlink::find_link(host.socket, plan.host.name);
  return holder ? taken_by(*holder) : refusal;
}

PairIndexes create_pair(const AttachmentPlan& plan, Host& host, Sandbox& sandbox) {
  try {
    return request_pair(plan, host, sandbox);
  } catch (const Failure& failure) {
    if (!failure.already_exists()) throw;
    throw taken_name(plan, host, sandbox, failure);
  }
}

// False where the kernel has no IPv6, or none on an interface with a small MTU: then there is nothing to close.
// Any other failure is thrown: what cannot be closed is not left open.
bool write_host_sysctls(const AttachmentPlan& plan) {
  try {
    netlink::write_sysctls(plan.host.sysctls);
  } catch (const Failure& failure) {
    if (plan.has(IpFamily::v6) || (failure.error() != EAFNOSUPPORT && failure.error() != ENOENT)) throw;
    return false;
  }
  return true;
}

template <class Object>
Object on_link(Object object, std::uint32_t link) {
  object.link = link;
  return object;
}

// Adds a route whose key another has with the next free metric.
void add_behind_others(Route route, const End& end, netlink::Socket& socket, const Failure& refusal) {
  constexpr int attempts = 1000;
  route = netlink::normalised(route);
  for (int attempt = 0; attempt < attempts && route.priority != UINT32_MAX; ++attempt) {
    ++route.priority;
    Message message = netlink::add_route(route, RouteMode::create, end.name);
    const auto outcome = socket.execute_each({&message, 1}).front();
    if (!outcome) return;
    if (!outcome->already_exists()) throw *outcome;
  }
  throw refusal;
}

// The end that is set up first cannot send until the kernel's link watch, a worker, has seen that the other end
// is up too. A look at the link (rtnl_getlink) brings that forward since Linux 6.8: so the container's side ends
// with one, and the host's routes begin with one.
void configure_container(const End& end, std::uint32_t index, const Host& host, Sandbox& sandbox) {
  if (!end.sysctls.empty()) {
    const netlink::NetnsScope inside(sandbox.netns, host.netns);
    netlink::write_sysctls(end.sysctls);
  }
  // Setting the link down and up would drop the routes and the permanent neighbour: they come after "up".
  std::vector<Message> messages;
  messages.push_back(netlink::set_link_up(loopback_index, "lo"));
  for (const auto& address : end.addresses)
    messages.push_back(netlink::add_address(on_link(address, index), end.name));
  messages.push_back(netlink::set_link_up(index, end.name));
  for (const auto& neighbour : end.neighbours)
    messages.push_back(netlink::add_neighbour(on_link(neighbour, index), end.name));
  const std::size_t first_route = messages.size();
  for (const auto& route : end.routes)
    messages.push_back(netlink::add_route(on_link(route, index), container_route_mode(route), end.name));
  messages.push_back(netlink::get_link(index));
  const auto outcomes = sandbox.socket.execute_each(messages);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i]) continue;
    const Route* route =
        i >= first_route && i - first_route < end.routes.size() ? &end.routes[i - first_route] : nullptr;
    if (route == nullptr || container_route_mode(*route) != RouteMode::create ||
        !outcomes[i]->already_exists())
      throw *outcomes[i];
    add_behind_others(on_link(*route, index), end, sandbox.socket, *outcomes[i]);
  }
}

void configure_host_link(const AttachmentPlan& plan, std::uint32_t index, Host& host) {
  const End& end = plan.host;
  netlink::LinkSettings settings = end.settings;
  if (!write_host_sysctls(plan)) settings.manual_link_local = false;
  std::vector<Message> messages;
  messages.push_back(netlink::configure_link(index, end.name, settings));
  messages.push_back(netlink::set_proxy_delay(index, end.name, IpFamily::v4, 0));
  for (const auto& address : end.addresses)
    messages.push_back(netlink::add_address(on_link(address, index), end.name));
  messages.push_back(netlink::set_link_up(index, end.name));
  host.socket.execute(messages);
}

std::string link_name(Host& host, std::uint32_t index) {
  const auto link = index != 0 ? netlink::find_link(host.socket, index) : std::nullopt;
  return link ? link->name : "";
}

// The alias of a host end names its attachment.
RouteHeld held_by(const Route& holder, const Route& wanted, const End& end, Host& host) {
  const auto link = holder.link != 0 ? netlink::find_link(host.socket, holder.link) : std::nullopt;
  std::string who = "proto " + netlink::protocol_name(holder.protocol);
  if (link) who += " dev " + link->name;
  const auto owner = parse_alias(link ? link->alias : "");
  if (owner)
    who = fmt::format("container {}, interface {} of network {} ({})", owner->attachment.container_id,
                      owner->attachment.ifname, owner->network, who);
  return RouteHeld(
      fmt::format("route {} is held by {}, not this attachment: left alone", wanted.dst.to_string(), who),
      owner && owner->network == parse_alias(end.settings.alias)->network);
}

std::vector<std::optional<Route>> used_routes(const std::vector<Route>& routes, Host& host) {
  std::vector<IpAddress> addresses;
  addresses.reserve(routes.size());
  for (const auto& route : routes) addresses.push_back(route.dst.address);
  return netlink::lookup_routes(host.socket, addresses);
}

// Of another metric, which ours would take the packets from.
void require_unrouted(const End& end, Host& host) {
  const auto all_used = used_routes(end.routes, host);
  for (std::size_t i = 0; i < end.routes.size(); ++i) {
    const auto& used = all_used[i];
    if (!used || used->dst != end.routes[i].dst || used->table != RT_TABLE_MAIN) continue;
    if (!netlink::same_key(*used, netlink::normalised(end.routes[i])))
      throw held_by(*used, end.routes[i], end, host);
  }
}

// An existing route of our own is no failure: onlink-node restores routes of attachments that have lost theirs, and may
// have taken this for one.
void require_ours(const Route& wanted, const End& end, Host& host, const Failure& refusal) {
  const auto holder = netlink::find_route(host.socket, wanted);
  if (!holder) throw refusal;
  if (holder->link == wanted.link && holder->protocol == wanted.protocol) return;
  throw held_by(*holder, wanted, end, host);
}

// A packet to the address must reach this link. Where the host itself has the address, or another table or rule
// diverts it, nobody could reach the pod.
void verify_routes(const std::vector<Route>& routes, const End& end, Host& host) {
  const auto all_used = used_routes(routes, host);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto& used = all_used[i];
    if (used && used->link == routes[i].link && used->dst == routes[i].dst) continue;
    throw Failure(fmt::format("{} does not lead to {}: the host uses {}", routes[i].dst.address.to_string(),
                              end.name,
                              used ? netlink::to_string(*used, link_name(host, used->link)) : "no route"));
  }
}

// With its routes the attachment comes into use. Somebody may be sending to the address all the time, and what
// the pod cannot answer yet (an ARP request, a neighbour solicitation) is repeated only after a second. So the
// routes come last, when both ends carry packets.
//
// The neighbours come before the routes, so that no packet makes the kernel learn them first.
void configure_host_routes(const End& end, std::uint32_t index, Host& host) {
  std::vector<Route> routes;
  std::vector<Message> messages;
  messages.push_back(netlink::get_link(index));
  for (const auto& neighbour : end.neighbours)
    messages.push_back(netlink::add_neighbour(on_link(neighbour, index), end.name));
  for (const auto& planned : end.routes) {
    routes.push_back(on_link(planned, index));
    messages.push_back(netlink::add_route(routes.back(), RouteMode::create, end.name));
  }
  const auto outcomes = host.socket.execute_each(messages);
  const std::size_t first_route = outcomes.size() - routes.size();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i]) continue;
    if (i < first_route || !outcomes[i]->already_exists()) throw *outcomes[i];
    require_ours(routes[i - first_route], end, host, *outcomes[i]);
  }
  verify_routes(routes, end, host);
}

struct Watches {
  netlink::AddressWatch host;
  netlink::AddressWatch container;
};

std::optional<Watches> watch_addresses(const AttachmentPlan& plan, const Host& host, const Sandbox& sandbox) {
  if (!plan.has(IpFamily::v6)) return std::nullopt;
  return Watches{netlink::AddressWatch::open(), netlink::AddressWatch::open_in(sandbox.netns, host.netns)};
}

// The kernel finishes with an IPv6 address once its link carries packets; on a host with many links coming and
// going, its one worker (addrconf_wq) may be seconds behind. Being later still is no reason to fail.
void await_addresses(const AttachmentPlan& plan, const PairIndexes& pair, Host& host, Watches& watches) {
  constexpr int limit_ms = 5'000;
  host.socket.execute(netlink::get_link(pair.host));
  (void)watches.host.wait(pair.host, plan.host.addresses, limit_ms);
  (void)watches.container.wait(pair.container, plan.container.addresses, limit_ms);
}

// A host that has its IPv6 default route from a router advertisement keeps it (netlink/forwarding.h).
void enable_forwarding(const AttachmentPlan& plan, Host& host) {
  if (!plan.sets_host_sysctls) return;
  for (const auto& [name, value] : plan.host_sysctls) {
    if (netlink::read_sysctl(name) == value) continue;
    // A dump, but only at the first IPv6 attachment after boot.
    if (name.starts_with("net/ipv6/"))
      for (const std::string& link : netlink::links_that_need_accept_ra(host.socket))
        netlink::write_sysctl(netlink::accept_ra_setting(link), "2");
    netlink::write_sysctl(name, value);
  }
}

}  // namespace

Failure taken_by(const netlink::Link& holder) {
  return Failure(fmt::format("host interface {} exists already ({})", holder.name,
                             holder.alias.empty() ? "no alias" : holder.alias),
                 EEXIST);
}

Host open_host() {
  auto socket = netlink::Socket::open();
  auto netns = socket.netns();
  return {std::move(socket), std::move(netns)};
}

Sandbox open_sandbox(const std::string& path, const Host& host) {
  auto netns = with_context("CNI_NETNS", [&] { return netlink::Netns::open(path); });
  if (netns.same_as(host.netns))
    throw Failure(FailureKind::environment,
                  fmt::format("CNI_NETNS: {} is the plugin's own network namespace", path));
  auto socket = netlink::Socket::open_in(netns, host.netns);
  return {std::move(netns), std::move(socket)};
}

void apply(const AttachmentPlan& plan, Host& host, Sandbox& sandbox, Rollback& undo,
           const std::function<void(const std::string&)>& note) {
  require_unrouted(plan.host, host);
  const PairIndexes pair = create_pair(plan, host, sandbox);
  undo.add("delete " + plan.host.name, [&host, pair, name = plan.host.name] {
    host.socket.execute(netlink::delete_link(pair.host, name));
  });
  auto watches = watch_addresses(plan, host, sandbox);
  configure_host_link(plan, pair.host, host);
  configure_container(plan.container, pair.container, host, sandbox);
  const bool had_masquerade = ensure_rules(plan.rules, host.socket, note);
  if (watches) await_addresses(plan, pair, host, *watches);
  configure_host_routes(plan.host, pair.host, host);
  // Last: an ADD that fails leaves the host's settings, and takes nothing from the network's other pods.
  enable_forwarding(plan, host);
  if (had_masquerade) remove_masquerade(plan.rules, host.socket);
}

}  // namespace onlink::plugin
