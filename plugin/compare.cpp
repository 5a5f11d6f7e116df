// SPDX-License-Identifier: Apache-2.0
#include "plugin/compare.h"

#include <fmt/format.h>
#include <linux/ip.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netlink/sysctl.h"
#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

// The interface of prevResult that this plugin made in the container. One of the same name in another namespace is
// another's; but where none has this very path, the runtime may have written it in another way.
const cni::Interface* own_interface(const cni::Result& result, const cni::Request& request) {
  const cni::Interface* found = nullptr;
  for (const auto& interface : result.interfaces) {
    if (interface.name != request.attachment.ifname || interface.sandbox.empty()) continue;
    if (interface.sandbox == request.netns) return &interface;
    if (found == nullptr) found = &interface;
  }
  return found;
}

// Forms before 0.3.0 do not say whose an address is.
std::vector<cni::IpConfig> own_addresses(const cni::Result& result, const cni::Request& request) {
  const auto* own = own_interface(result, request);
  std::vector<cni::IpConfig> ips = result.ips;
  if (own == nullptr || std::none_of(ips.begin(), ips.end(), [](const auto& ip) { return ip.interface; }))
    return ips;
  std::erase_if(ips,
                [&](const auto& ip) { return !ip.interface || &result.interfaces[*ip.interface] != own; });
  return ips;
}

// The lease that led to prevResult. Of a family, addresses with our gateway are ours, where any is; that of the
// configuration may have changed since. Others of the interface are of chained plugins, and so is what has a network.
// The routes through our gateway ("gw") are ours; the link route to the gateway follows from the address.
cni::Result lease_behind(const cni::Request& request, const NetConf& config) {
  cni::Result lease;
  lease.ips = own_addresses(*request.prev_result, request);
  std::set<IpFamily> known;
  const auto is_ours = [&](const cni::IpConfig& ip) {
    return ip.gateway == config.gateway(ip.address.family());
  };
  for (const auto& ip : lease.ips)
    if (is_ours(ip)) known.insert(ip.address.family());
  std::erase_if(lease.ips, [&](const cni::IpConfig& ip) {
    return !ip.address.is_host() || (known.contains(ip.address.family()) && !is_ours(ip));
  });
  for (const auto& route : request.prev_result->routes)
    if (route.gw == config.gateway(route.dst.family())) lease.routes.push_back(route);
  return lease;
}

// The configuration, with the host end's prefix and MAC as they were when it was made: both may have changed since.
NetConf config_at_add(const cni::Request& request, NetConf config) {
  config.is_default_gateway = false;  // the default route is among prevResult's routes, if it was made
  const std::string digits = host_interface_name("", request.network, request.attachment);
  for (const auto& interface : request.prev_result->interfaces) {
    if (!interface.sandbox.empty() || !interface.name.ends_with(digits)) continue;
    config.host_interface_prefix = interface.name.substr(0, interface.name.size() - digits.size());
    const MacAddress mac = MacAddress::parse(interface.mac).value_or(config.host_mac);
    if (config.gateway6 == config.host_mac.link_local()) config.gateway6 = mac.link_local();
    config.host_mac = mac;
  }
  return config;
}

void differ(std::vector<std::string>& found, const std::string& where, std::string_view what, const End& end,
            const auto& expected, const auto& actual) {
  if (expected != actual)
    found.push_back(fmt::format("{}: {} of {} is {}, not {}", where, what, end.name, actual, expected));
}

// Faults concern what the attachment needs to be reached, and to be itself. About what hardens or tunes it, others may
// have other ideas (a sysctl.d of the distribution, a chained plugin), and a runtime removes a pod with a fault.
void compare_link(const std::string& where, const End& end, std::uint32_t mtu,
                  const std::optional<netlink::Link>& link, Differences& found) {
  if (!link) {
    found.faults.push_back(fmt::format("{}: interface {} is missing", where, end.name));
    return;
  }
  differ(found.faults, where, "kind", end, std::string("veth"), link->kind);
  differ(found.faults, where, "MAC", end, end.mac.to_string(), link->mac.value_or(MacAddress{}).to_string());
  if (!end.settings.alias.empty()) differ(found.faults, where, "alias", end, end.settings.alias, link->alias);
  differ(found.faults, where, "state", end, "up", link->up() ? "up" : "down");
  if (mtu != 0) differ(found.remarks, where, "MTU", end, mtu, link->mtu);
  for (const auto& [devconf, value] : end.settings.ipv4)
    differ(devconf == IPV4_DEVCONF_FORWARDING ? found.faults : found.remarks, where,
           netlink::ipv4_setting_name(devconf), end, value, link->ipv4_setting(devconf));
}

void compare_addresses(const std::string& where, const End& end, std::uint32_t index, netlink::Socket& socket,
                       Differences& found) {
  if (end.addresses.empty()) return;
  const auto actual = netlink::list_addresses(socket, index);
  for (const auto& address : end.addresses) {
    const bool there = std::any_of(actual.begin(), actual.end(),
                                   [&](const auto& other) { return other.prefix == address.prefix; });
    if (!there)
      found.faults.push_back(
          fmt::format("{}: address {} is not on {}", where, address.prefix.to_string(), end.name));
  }
}

bool same_route(const netlink::Route& wanted, const netlink::Route& other) {
  // IPv6 has no metric 0, and each network of a container has its own (add_behind_others in apply.cpp).
  const bool same_priority = wanted.gateway || !wanted.dst.address.is_v4()
                                 ? other.priority >= wanted.priority
                                 : other.priority == wanted.priority;
  return other.dst == wanted.dst && other.table == wanted.table && same_priority &&
         other.gateway == wanted.gateway && other.scope == wanted.scope &&
         (wanted.mtu == 0 || other.mtu == wanted.mtu);
}

// A chained plugin has moved the interface's routes out of the main table, to where a rule or a VRF leads (sbr, vrf).
// It drops routes that its default route covers through the same gateway, and the route to the gateway itself, which
// "onlink" routes do not need.
bool is_moved_route(const netlink::Route& wanted, const netlink::Route& other) {
  if (wanted.table != RT_TABLE_MAIN || other.table == RT_TABLE_MAIN) return false;
  if (other.gateway == wanted.gateway && other.dst.contains(wanted.dst)) return true;
  return !wanted.gateway && other.onlink && other.gateway == wanted.dst.address;
}

void compare_routes(const std::string& where, const End& end, std::uint32_t index, netlink::Socket& socket,
                    Differences& found) {
  const auto actual = netlink::list_routes(socket, {.link = index});
  for (const auto& route : end.routes)
    if (std::none_of(actual.begin(), actual.end(), [&](const auto& other) {
          return same_route(route, other) || is_moved_route(route, other);
        })) {
      netlink::Route named = route;
      named.link = index;
      found.faults.push_back(
          fmt::format("{}: route {} is missing", where, netlink::to_string(named, end.name)));
    }
}

void compare_neighbours(const std::string& where, const End& end, std::uint32_t index,
                        netlink::Socket& socket, std::vector<std::string>& found) {
  for (const auto& wanted : end.neighbours) {
    if (wanted.state == NUD_NONE)
      continue;  // the kernel learns it, and forgets it when the other end goes down
    const auto actual = netlink::find_neighbour(socket, index, wanted.address);
    const auto address = wanted.address.to_string();
    if (!actual)
      found.push_back(fmt::format("{}: neighbour {} is missing on {}", where, address, end.name));
    else if (actual->mac != wanted.mac)
      found.push_back(fmt::format("{}: neighbour {} has MAC {}, not {}", where, address,
                                  actual->mac.to_string(), wanted.mac.to_string()));
    else if ((actual->state & NUD_PERMANENT) == 0)
      found.push_back(fmt::format("{}: neighbour {} is not permanent", where, address));
  }
}

void compare_sysctls(const std::string& where, const std::vector<Sysctl>& sysctls,
                     std::vector<std::string>& found) {
  for (const auto& [name, value] : sysctls) {
    const auto actual = netlink::read_sysctl(name);
    if (actual != value)
      found.push_back(fmt::format("{}: {} is {}, not {}", where, name, actual.value_or("missing"), value));
  }
}

// The host's route is looked up as for a packet: so a foreign route that took over is seen, and a host with thousands
// of routes is not dumped.
void compare_host_routes(const End& end, std::uint32_t index, Host& host, Differences& found) {
  for (const auto& wanted : end.routes) {
    const auto used = netlink::lookup_route(host.socket, wanted.dst.address);
    if (used && used->dst == wanted.dst && used->link == index && used->protocol == wanted.protocol) continue;
    const std::string dst = wanted.dst.to_string();
    // A rule may send packets elsewhere, before the table that has the route.
    const bool is_used = used && used->dst == wanted.dst;
    if (!is_used && !netlink::find_route(host.socket, wanted)) {
      found.faults.push_back(fmt::format("host: route {} dev {} is missing", dst, end.name));
      continue;
    }
    const auto link = netlink::find_link(host.socket, used ? used->link : 0);
    found.faults.push_back(fmt::format("host: packets to {} take {}, not {}", dst,
                                       used ? netlink::to_string(*used, link ? link->name : "") : "no route",
                                       end.name));
  }
}

// Router advertisements of a pod must not reach the host; without IPv6 they do not, whatever the setting.
void compare_closing(const End& end, Differences& found) {
  const auto setting = [&](const char* name) { return fmt::format("net/ipv6/conf/{}/{}", end.name, name); };
  const auto is_off = netlink::read_sysctl(setting("disable_ipv6"));
  if (is_off && *is_off == "0") compare_sysctls("host", {{setting("accept_ra"), "0"}}, found.faults);
}

// A bridge takes what the pod sends before the rules and settings of the host end see it. A VRF, another table, does not.
void compare_master(const netlink::Link& link, Host& host, Differences& found) {
  const auto master = link.master != 0 ? netlink::find_link(host.socket, link.master) : std::nullopt;
  if (master && master->kind != "vrf")
    found.faults.push_back(
        fmt::format("host: {} belongs to {}, which takes its packets", link.name, master->name));
}

void compare_host(const AttachmentPlan& expected, Host& host, Differences& found) {
  const auto link = netlink::find_link(host.socket, expected.host.name);
  compare_link("host", expected.host, expected.mtu, link, found);
  if (expected.sets_host_sysctls) compare_sysctls("host", expected.host_sysctls, found.faults);
  if (!link) return;
  compare_closing(expected.host, found);
  compare_master(*link, host, found);
  compare_sysctls("host", {{fmt::format("net/ipv4/neigh/{}/proxy_delay", expected.host.name), "0"}},
                  found.remarks);
  compare_addresses("host", expected.host, link->index, host.socket, found);
  compare_host_routes(expected.host, link->index, host, found);
  // A chain that changes the MAC should say "hostNeighbour": "learned"; if it does not, that is its own affair.
  compare_neighbours("host", expected.host, link->index, host.socket,
                     expected.mac_by_other ? found.remarks : found.faults);
}

void compare_container(const AttachmentPlan& expected, const Host& host, Sandbox& sandbox,
                       Differences& found) {
  const End& end = expected.container;
  const auto link = netlink::find_link(sandbox.socket, end.name);
  compare_link("container", end, expected.container_mtu, link, found);
  if (!link) return;
  if (!end.sysctls.empty()) {
    const netlink::NetnsScope inside(sandbox.netns, host.netns);
    compare_sysctls("container", end.sysctls, found.remarks);
  }
  compare_addresses("container", end, link->index, sandbox.socket, found);
  compare_routes("container", end, link->index, sandbox.socket, found);
  // When the MAC changes, the kernel drops an interface's neighbours, the permanent ones too (neigh_changeaddr), and a
  // VRF sets its new interface down and up again (vrf.c, cycle_netdev). Then the gateway is resolved as in any
  // network, and the host end answers.
  if (!expected.mac_by_other && link->master == 0)
    compare_neighbours("container", end, link->index, sandbox.socket, found.faults);
}

void find_others(const cni::Request& request, Host& host, Sandbox& sandbox, Differences& found) {
  for (const auto& interface : request.prev_result->interfaces) {
    const bool on_host = interface.sandbox.empty();
    const bool ours = interface.name == request.attachment.ifname && !on_host;
    if (ours || (!on_host && interface.sandbox != request.netns)) continue;
    if (!netlink::find_link(on_host ? host.socket : sandbox.socket, interface.name))
      found.faults.push_back(fmt::format("{}: interface {} of prevResult is missing",
                                         on_host ? "host" : "container", interface.name));
  }
}

}  // namespace

AttachmentPlan expected_plan(const cni::Request& request, const NetConf& config) {
  const cni::Result& result = *request.prev_result;
  const NetConf as_attached = config_at_add(request, config);
  if (own_addresses(result, request).empty())
    throw Failure(FailureKind::configuration,
                  fmt::format("prevResult.ips: no address of interface {}", request.attachment.ifname));
  AttachmentPlan plan =
      plan_attachment(request, as_attached, lease_behind(request, as_attached), config.mtu.value_or(0));
  if (const auto* own = own_interface(result, request)) {
    if (const auto mac = MacAddress::parse(own->mac); mac && *mac != plan.container.mac) {
      plan.container.mac = *mac;
      plan.mac_by_other = true;
      for (auto& neighbour : plan.host.neighbours) neighbour.mac = *mac;
    }
    plan.container_mtu = own->mtu.value_or(0);
  }
  for (const auto& interface : result.interfaces)
    if (interface.name == plan.host.name && interface.mtu) plan.mtu = *interface.mtu;
  return plan;
}

Differences differences(const cni::Request& request, const AttachmentPlan& expected, Host& host,
                        Sandbox& sandbox) {
  Differences found;
  compare_host(expected, host, found);
  compare_container(expected, host, sandbox, found);
  std::vector<IpAddress> addresses;
  for (const auto& address : expected.container.addresses) addresses.push_back(address.prefix.address);
  Missing missing = missing_rules(expected.rules, addresses);
  if (!missing.sources.empty())
    found.remarks.push_back(fmt::format("{}: {}", missing.sources, without_source_rules));
  for (auto& fault : missing.masquerade) found.faults.push_back(std::move(fault));
  find_others(request, host, sandbox, found);
  return found;
}

}  // namespace onlink::plugin
