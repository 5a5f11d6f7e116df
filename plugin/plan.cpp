// SPDX-License-Identifier: Apache-2.0
#include "plugin/plan.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/ip.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>

#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

using netlink::Route;

constexpr std::size_t longest_alias = 254;  // IFALIASZ is 256, and the kernel counts our NUL and its own

// On the host end:
// - forwarding for this interface, whatever the default is;
// - proxy_arp answers for 169.254.1.1 where a sandbox has copied the routes but not the permanent neighbour
//   (kata, gVisor), and proxy_delay 0 lets it answer immediately (the default is up to 0.8 s);
// - rp_filter 1: a pod cannot send with a source that is not routed to it;
// - no redirects: the pod is to send everything to us, and is to tell us nothing;
// - no IPv6 address of the kernel's making, whether the network has IPv6 or not.
netlink::LinkSettings host_settings(const cni::Request& request) {
  return {link_alias(request.network, request.attachment),
          {{IPV4_DEVCONF_FORWARDING, 1},
           {IPV4_DEVCONF_PROXY_ARP, 1},
           {IPV4_DEVCONF_RP_FILTER, 1},
           {IPV4_DEVCONF_ACCEPT_REDIRECTS, 0},
           {IPV4_DEVCONF_SEND_REDIRECTS, 0}},
          true};
}

std::vector<IpFamily> families_of(const std::vector<cni::IpConfig>& ips) {
  std::vector<IpFamily> families;
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6})
    if (std::any_of(ips.begin(), ips.end(), [&](const auto& ip) { return ip.address.family() == family; }))
      families.push_back(family);
  return families;
}

const IpPrefix& first_of(IpFamily family, const cni::Result& lease) {
  return std::find_if(lease.ips.begin(), lease.ips.end(),
                      [&](const cni::IpConfig& ip) { return ip.address.family() == family; })
      ->address;
}

void check_lease(const cni::Result& lease, const std::vector<IpFamily>& families) {
  if (families.empty()) throw Failure("the IPAM gave no address");
  for (const auto& ip : lease.ips)
    if (const auto* block = unusable_block(ip.address.address, ip.address.address))
      throw Failure(fmt::format("the IPAM gave {}, of {} ({}), which no pod can use", ip.address.to_string(),
                                block->block, block->why));
  std::set<IpAddress> seen;
  for (const auto& ip : lease.ips)
    if (!seen.insert(ip.address.address).second)
      throw Failure(fmt::format("the IPAM gave {} twice", ip.address.address.to_string()));
  for (const auto& route : lease.routes)
    if (std::find(families.begin(), families.end(), route.dst.family()) == families.end())
      throw Failure(
          FailureKind::configuration,
          fmt::format("the IPAM gave route {}, but no address of its family", route.dst.to_string()));
}

Route gateway_route(const IpAddress& gateway) {
  Route route{.dst = IpPrefix::host(gateway)};
  route.scope = gateway.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;  // IPv6 routes have no scope
  return route;
}

// "onlink": it needs no other route to its gateway. There is one, but chained plugins that move the interface's
// routes to another table do not take it along (vrf).
Route route_through(const IpAddress& gateway, const IpPrefix& dst) {
  return {.dst = dst, .gateway = gateway, .onlink = true};
}

// The IPAM's own gateway of a route is ignored: a routed network has one way out. Values are those that the kernel
// keeps (fib_new_table, fib6_new_table; ip_metrics_convert).
Route ipam_route(const cni::Route& wanted, const IpAddress& gateway) {
  constexpr std::uint32_t highest_mtu = 65535 - 15;
  constexpr std::uint32_t highest_advmss = 65535 - 40;
  Route route = route_through(gateway, wanted.dst.network());
  if (wanted.table.value_or(0) != 0) route.table = *wanted.table;
  route.priority = wanted.priority.value_or(0);
  route.mtu = std::min(wanted.mtu.value_or(0), highest_mtu);
  route.advmss = std::min(wanted.advmss.value_or(0), highest_advmss);
  return route;
}

// The link route to the gateway, then what goes through it.
std::vector<Route> container_routes(IpFamily family, const NetConf& config, const cni::Result& lease) {
  const IpAddress& gateway = config.gateway(family);
  std::vector<Route> routes{gateway_route(gateway)};
  bool has_default = false;
  for (const auto& wanted : lease.routes) {
    if (wanted.dst.family() != family) continue;
    routes.push_back(ipam_route(wanted, gateway));
    has_default = has_default || (wanted.dst.length == 0 && routes.back().table == RT_TABLE_MAIN);
  }
  const bool wants_default = config.is_default_gateway.value_or(routes.size() == 1);
  if (wants_default && !has_default) routes.push_back(route_through(gateway, IpPrefix::any(family)));
  return routes;
}

// Our own IPAM knows its subnets; of another's we know only the prefix that it gave with the address.
std::vector<IpPrefix> subnets_of(const NetConf& config, const cni::Result& lease) {
  std::vector<IpPrefix> subnets;
  if (!config.ipam)
    for (const auto& ip : lease.ips) subnets.push_back(ip.address.network());
  else
    for (const auto& set : config.ipam->range_sets)
      for (const auto& range : set.ranges) subnets.push_back(range.subnet);
  return subnets;
}

void set_ipv6(End& end, const char* setting, const char* value) {
  end.sysctls.emplace_back(fmt::format("net/ipv6/conf/{}/{}", end.name, setting), value);
}

// A kernel accepts router advertisements and forms addresses on every interface: a pod could make itself the host's
// router (CVE-2020-10749). The host end never accepts any, and has no IPv6 at all where the network has none.
// accept_ra and host_settings hold even if someone turns IPv6 on for all interfaces.
void close_ipv6(End& host) {
  set_ipv6(host, "accept_ra", "0");
  set_ipv6(host, "disable_ipv6", "1");
}

void plan_ipv6(AttachmentPlan& plan, const NetConf& config) {
  // disable_ipv6: hosts and runtimes turn IPv6 off by default for namespaces; it is on for our two ends only.
  // accept_ra: a pod takes its routes from us, not from any sender of router advertisements.
  for (End* end : {&plan.host, &plan.container}) {
    set_ipv6(*end, "accept_ra", "0");
    set_ipv6(*end, "disable_ipv6", "0");
  }
  // One link-local address must exist: when it forwards, the host asks for the pod with it (ndisc_send_ns). Without a route
  // for its prefix: each packet to an address there, and each answer to one, would make a neighbour (host_neighbour). What
  // neighbour discovery sends needs no route (icmp6_dst_alloc).
  const bool is_link_local = config.gateway6.is_link_local();
  const IpAddress link_local = is_link_local ? config.gateway6 : config.host_mac.link_local();
  plan.host.addresses.push_back(
      {.prefix = {link_local, 64}, .flags = IFA_F_NOPREFIXROUTE, .scope = RT_SCOPE_LINK});
  if (!is_link_local) plan.host.addresses.push_back({.prefix = IpPrefix::host(config.gateway6)});
  plan.host_sysctls.emplace_back("net/ipv6/conf/all/forwarding", "1");
}

// The host knows the pod for good, as the pod knows its gateway: no ARP or ND at all. So the first packet does not
// wait, and a pod need not answer, which some do not (arp_ignore=2, or a second network with rp_filter=1, where the
// host would ask from an address that the pod routes elsewhere). And permanent entries do not count against
// net.ipv4.neigh.default.gc_thresh3 (1,024, one table for all namespaces; neigh_alloc), with which hosts of many
// pods run into "neighbor table overflow".
//
// "learned", where a chained plugin changes the pod's MAC: an entry without a MAC, marked as learned externally,
// which does not count either (since Linux 5.0). The kernel asks the pod at the first packet, and again later. What
// a pod learns of the host from its requests does count then, but may be collected after 5 s (neigh_forced_gc).
netlink::Neighbour host_neighbour(const IpAddress& address, const MacAddress& mac, bool learned) {
  if (learned) return {.address = address, .state = NUD_NONE, .flags = NTF_EXT_LEARNED};
  return {.address = address, .mac = mac};
}

}  // namespace

Rules plan_rules(const cni::Request& request, const NetConf& config, const cni::Result& lease) {
  Rules rules;
  rules.sources.table = std::string(sources_table) + config.host_interface_prefix;
  rules.sources.check_sources = true;
  rules.sources.pod_interfaces = config.host_interface_prefix;
  rules.masquerade.table = "onlink-" + short_name(request.network);
  rules.masquerades = config.ip_masq;
  rules.masquerade.masqueraded = rules.masquerade.inside = subnets_of(config, lease);
  return rules;
}

void check_request(const cni::Request& request, const NetConf& config) {
  const std::string& ifname = request.attachment.ifname;
  // /proc/sys has settings of all interfaces, and of new ones, by these names: the kernel refuses them.
  if (ifname == "all" || ifname == "default")
    throw Failure(FailureKind::environment,
                  fmt::format("CNI_IFNAME: \"{}\" is no name that the kernel takes", ifname));
  if (link_alias(request.network, request.attachment).size() > longest_alias)
    throw Failure(
        FailureKind::environment,
        fmt::format("CNI_CONTAINERID: together with the network's name it must have at most {} characters",
                    longest_alias - ifname.size() - std::string_view("onlink   ").size()));
  if (config.mac == config.host_mac)
    throw Failure(FailureKind::configuration,
                  "mac: the container's equals hostMAC " + config.host_mac.to_string());
}

AttachmentPlan plan_attachment(const cni::Request& request, const NetConf& config, const cni::Result& lease,
                               std::uint32_t mtu) {
  AttachmentPlan plan;
  plan.netns = request.netns;
  plan.sets_host_sysctls = config.ip_forward;
  plan.rules = plan_rules(request, config, lease);
  plan.mtu = plan.container_mtu = mtu;
  plan.unfinished_group = unfinished_group(request.network);
  plan.families = families_of(lease.ips);
  check_lease(lease, plan.families);
  if (mtu != 0 && mtu < lowest_ipv6_mtu && plan.has(IpFamily::v6))
    throw Failure(FailureKind::configuration,
                  fmt::format("mtu: {} is less than the {} that IPv6 needs (RFC 8200), and the IPAM gave {}",
                              mtu, lowest_ipv6_mtu, first_of(IpFamily::v6, lease).to_string()));
  plan.container.name = request.attachment.ifname;
  plan.host.name = host_interface_name(config.host_interface_prefix, request.network, request.attachment);
  plan.host.mac = config.host_mac;
  plan.host.settings = host_settings(request);
  plan.container.mac = config.mac.value_or(container_mac(request.network, request.attachment));

  for (const auto& ip : lease.ips) {
    plan.container.addresses.push_back({.prefix = IpPrefix::host(ip.address.address)});
    Route route{.dst = IpPrefix::host(ip.address.address), .protocol = netlink::onlink_protocol};
    route.scope = ip.address.address.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    plan.host.routes.push_back(route);
    plan.host.neighbours.push_back(
        host_neighbour(ip.address.address, plan.container.mac, config.host_neighbour_learned));
  }
  for (const IpFamily family : plan.families) {
    if (family == IpFamily::v4)
      plan.host_sysctls.emplace_back("net/ipv4/ip_forward", "1");
    else
      plan_ipv6(plan, config);
    for (auto& route : container_routes(family, config, lease))
      plan.container.routes.push_back(std::move(route));
    plan.container.neighbours.push_back({.address = config.gateway(family), .mac = config.host_mac});
  }
  if (!plan.has(IpFamily::v6)) close_ipv6(plan.host);
  return plan;
}

namespace {

cni::Route describe(const Route& route) {
  cni::Route told{.dst = route.dst, .gw = route.gateway};
  if (route.mtu != 0) told.mtu = route.mtu;
  if (route.advmss != 0) told.advmss = route.advmss;
  if (route.priority != 0) told.priority = route.priority;
  if (route.table != RT_TABLE_MAIN) told.table = route.table;
  if (route.scope != RT_SCOPE_UNIVERSE) told.scope = route.scope;
  return told;
}

}  // namespace

cni::Result describe(const AttachmentPlan& plan, const cni::Request& request, const NetConf& config,
                     const cni::Result& lease) {
  // What earlier plugins of the chain made stays in the result, with the indexes of its interfaces.
  cni::Result result = request.prev_result.value_or(cni::Result{});
  result.interfaces.push_back({.name = plan.host.name, .mac = plan.host.mac.to_string(), .mtu = plan.mtu});
  result.interfaces.push_back({.name = plan.container.name,
                               .mac = plan.container.mac.to_string(),
                               .sandbox = plan.netns,
                               .mtu = plan.container_mtu});
  const auto own_end = static_cast<std::uint32_t>(result.interfaces.size() - 1);
  for (const auto& address : plan.container.addresses)
    result.ips.push_back({.address = address.prefix,
                          .gateway = config.gateway(address.prefix.family()),
                          .interface = own_end});
  for (const auto& route : plan.container.routes) result.routes.push_back(describe(route));
  const cni::Dns& dns = config.dns.empty() ? lease.dns : config.dns;
  if (!dns.empty()) result.dns = dns;
  return result;
}

}  // namespace onlink::plugin
