// SPDX-License-Identifier: Apache-2.0
#include "netlink/route.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

#include "netlink/attributes.h"
#include "netlink/link.h"
#include "netlink/route_key.h"

namespace onlink::netlink {
namespace {

const char* type_name(std::uint8_t type) {
  switch (type) {
    case RTN_BLACKHOLE:
      return "blackhole ";
    case RTN_UNREACHABLE:
      return "unreachable ";
    case RTN_PROHIBIT:
      return "prohibit ";
    case RTN_THROW:
      return "throw ";
    default:
      return "";
  }
}

std::uint16_t mode_flags(RouteMode mode) {
  switch (mode) {
    case RouteMode::replace:
      return NLM_F_CREATE | NLM_F_REPLACE;
    case RouteMode::append:
      return NLM_F_CREATE | NLM_F_APPEND;
    default:
      return NLM_F_CREATE | NLM_F_EXCL;
  }
}

rtmsg& route_header(Message& message, const Route& route) {
  auto& header = message.header<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(route.dst.family());
  header.rtm_dst_len = route.dst.length;
  if (route.from) header.rtm_src_len = route.from->length;
  header.rtm_tos = route.tos;
  header.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE holds all 32 bits
  header.rtm_protocol = route.protocol;
  header.rtm_scope = route.scope;
  // Of a route to a nexthop object the kernel reports the object's type, and compares its own.
  header.rtm_type = route.nexthop_id != 0 ? std::uint8_t{RTN_UNSPEC} : route.type;
  return header;
}

void put_key(Message& message, const Route& route) {
  message.put(route_table, route.table);
  if (route.dst.length > 0) message.put(route_dst, route.dst.network().address);
  if (route.from) message.put(route_src, route.from->address);
  if (route.priority != 0) message.put(route_priority, route.priority);
}

void put_metrics(Message& message, const Route& route) {
  if (route.mtu == 0 && route.advmss == 0) return;
  message.nest(route_metrics, [&] {
    if (route.mtu != 0) message.put(metric_mtu, route.mtu);
    if (route.advmss != 0) message.put(metric_advmss, route.advmss);
  });
}

// An IPv4 route through an IPv6 gateway has RTA_VIA (struct rtvia) instead of RTA_GATEWAY.
std::optional<IpAddress> read_gateway(const Attributes& attributes) {
  if (auto gateway = attributes.get(route_gateway)) return gateway;
  const auto via = attributes.bytes(RTA_VIA);
  const std::size_t head = sizeof(std::uint16_t);
  if (via.size() != head + 4 && via.size() != head + 16) return std::nullopt;
  return IpAddress::from_bytes(via.subspan(head));
}

// All next hops, also those of a group of nexthop objects (RTA_MULTIPATH, rtnetlink(7)).
std::vector<NextHop> read_multipath(const Attributes& attributes) {
  std::vector<NextHop> hops;
  auto rest = attributes.bytes(RTA_MULTIPATH);
  rtnexthop hop{};
  while (rest.size() >= sizeof hop) {
    std::memcpy(&hop, rest.data(), sizeof hop);
    const std::size_t length = std::clamp<std::size_t>(hop.rtnh_len, sizeof hop, rest.size());
    const Attributes inside(rest.subspan(sizeof hop, length - sizeof hop));
    hops.push_back({static_cast<std::uint32_t>(hop.rtnh_ifindex), read_gateway(inside), hop.rtnh_hops + 1u});
    rest = rest.subspan(std::min<std::size_t>(RTNH_ALIGN(length), rest.size()));
  }
  return hops;
}

void put_gateway(Message& message, const Route& route) {
  if (!route.gateway) return;
  if (route.gateway->family() == route.dst.family()) return message.put(route_gateway, *route.gateway);
  const auto address = route.gateway->bytes();
  std::vector<std::uint8_t> via(sizeof(std::uint16_t));  // struct rtvia
  const auto family = static_cast<std::uint16_t>(route.gateway->family());
  std::memcpy(via.data(), &family, sizeof family);
  via.insert(via.end(), address.begin(), address.end());
  message.put(route_via, via);
}

// Everything that the kernel takes from us, and compares where it deletes an IPv4 route.
void put_value(Message& message, const Route& route) {
  if (route.nexthop_id != 0) {
    message.put(route_nexthop, route.nexthop_id);  // has gateway and link
  } else {
    put_gateway(message, route);
    if (route.link != 0) message.put(route_oif, route.link);
  }
  if (route.source) message.put(route_prefsrc, *route.source);
  put_metrics(message, route);
}

// An IPv6 route whose time is over is not used any more, and still listed until the kernel collects it.
bool ends_by_itself(const Attributes& attributes) {
  const auto bytes = attributes.bytes(RTA_CACHEINFO);
  rta_cacheinfo info{};
  if (bytes.size() < sizeof info) return false;
  std::memcpy(&info, bytes.data(), sizeof info);
  return info.rta_expires != 0;
}

bool has_more_metrics(const Attributes& attributes) {
  if (ends_by_itself(attributes)) return true;
  if (attributes.get(route_realms) || attributes.get(route_preference).value_or(0) != 0) return true;
  const auto metrics = attributes.get(route_metrics);
  for (std::uint16_t type = 1; type <= RTAX_MAX; ++type)
    if (type != RTAX_MTU && type != RTAX_ADVMSS && !metrics.bytes(type).empty()) return true;
  return false;
}

std::string via(const Route& route, const IpAddress& gateway) {
  const bool same_family = gateway.family() == route.dst.family();
  return (same_family ? " via " : " via inet6 ") + gateway.to_string();
}

constexpr Message::Explanation add_refusals[] = {{ENODEV, "the interface does not exist"},
                                                 {EEXIST, "a route to this destination exists already"},
                                                 {ENETDOWN, "the interface is down"}};

}  // namespace

std::string protocol_name(std::uint8_t protocol) {
  static constexpr struct {
    std::uint8_t number;
    char name[9];
  } names[] = {
      {RTPROT_REDIRECT, "redirect"}, {RTPROT_KERNEL, "kernel"}, {RTPROT_BOOT, "boot"},
      {RTPROT_STATIC, "static"},     {RTPROT_RA, "ra"},         {RTPROT_BIRD, "bird"},
      {RTPROT_DHCP, "dhcp"},         {RTPROT_BGP, "bgp"},       {onlink_protocol, "onlink"},
  };
  for (const auto& [number, name] : names)
    if (number == protocol) return name;
  return std::to_string(protocol);
}

std::string to_string(const Route& route, const std::string& link_name) {
  const bool is_default = route.dst.length == 0;
  std::string text = type_name(route.type) + (is_default ? "default" : route.dst.to_string());
  if (route.from) text += " from " + route.from->to_string();
  if (route.tos != 0) text += fmt::format(" tos {:#x}", route.tos);
  if (route.encapsulation != 0) text += fmt::format(" encap {}", route.encapsulation);
  if (route.nexthop_id != 0) text += fmt::format(" nhid {}", route.nexthop_id);
  if (route.gateway) text += via(route, *route.gateway);
  if (route.link != 0) text += " dev " + (link_name.empty() ? fmt::format("if{}", route.link) : link_name);
  if (route.table != RT_TABLE_MAIN) text += fmt::format(" table {}", route.table);
  if (route.protocol != RTPROT_BOOT)
    text +=
        fmt::format(" proto {}", route.protocol == onlink_protocol ? "169" : protocol_name(route.protocol));
  if (route.scope == RT_SCOPE_LINK)
    text += " scope link";
  else if (route.scope == RT_SCOPE_HOST)
    text += " scope host";
  else if (route.scope != RT_SCOPE_UNIVERSE)
    text += fmt::format(" scope {}", route.scope);
  if (route.source) text += " src " + route.source->to_string();
  if (route.priority != 0) text += fmt::format(" metric {}", route.priority);
  if (route.mtu != 0) text += fmt::format(" mtu {}", route.mtu);
  if (route.advmss != 0) text += fmt::format(" advmss {}", route.advmss);
  if (route.onlink) text += " onlink";
  for (const NextHop& hop : route.multipath)
    text += " nexthop" + (hop.gateway ? via(route, *hop.gateway) : fmt::format(" dev if{}", hop.link));
  return text;
}

std::string to_arguments(Route route, const std::string& link_name) {
  if (route.nexthop_id != 0) {
    route.type = RTN_UNICAST;
    route.gateway.reset();
    route.link = 0;
  }
  route.multipath.clear();
  route.encapsulation = 0;
  return to_string(route, link_name);
}

Message add_route(const Route& route, RouteMode mode, const std::string& link_name) {
  Message message(RTM_NEWROUTE, mode_flags(mode),
                  [route, link_name] { return "add route " + to_string(route, link_name); });
  auto& header = route_header(message, route);
  if (route.onlink) header.rtm_flags = RTNH_F_ONLINK;
  put_key(message, route);
  put_value(message, route);
  return std::move(message).explain(add_refusals);
}

Message delete_route(const Route& route, const std::string& link_name) {
  Message message(RTM_DELROUTE, 0,
                  [route, link_name] { return "delete route " + to_string(route, link_name); });
  (void)route_header(message, route);
  put_key(message, route);
  put_value(message, route);
  return message;
}

std::optional<Route> parse_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  const auto [header, attributes] = parts_of<rtmsg>(message);
  if ((header.rtm_family != AF_INET && header.rtm_family != AF_INET6) ||
      (header.rtm_flags & RTM_F_CLONED) != 0)
    return std::nullopt;
  const auto family = static_cast<IpFamily>(header.rtm_family);
  Route route;
  route.dst = {attributes.get(route_dst).value_or(IpPrefix::any(family).address), header.rtm_dst_len};
  if (route.dst.length > route.dst.address.bits()) return std::nullopt;  // makes no sense
  route.gateway = read_gateway(attributes);
  route.link = attributes.get(route_oif).value_or(0);
  route.table = attributes.get(route_table).value_or(header.rtm_table);
  route.priority = attributes.get(route_priority).value_or(0);
  route.protocol = header.rtm_protocol;
  route.scope = header.rtm_scope;
  route.type = header.rtm_type;
  route.onlink = (header.rtm_flags & RTNH_F_ONLINK) != 0;
  route.source = attributes.get(route_prefsrc);
  route.tos = header.rtm_tos;
  if (const auto from = attributes.get(route_src)) route.from = {*from, header.rtm_src_len};
  route.multipath = read_multipath(attributes);
  route.nexthop_id = attributes.get(route_nexthop).value_or(0);
  route.encapsulation = attributes.get(route_encapsulation).value_or(0);
  const auto metrics = attributes.get(route_metrics);
  route.mtu = metrics.get(metric_mtu).value_or(0);
  route.advmss = metrics.get(metric_advmss).value_or(0);
  route.more_metrics = has_more_metrics(attributes);
  return route;
}

namespace {

Message question_for(const IpAddress& dst, std::uint32_t flags,
                     const std::optional<IpAddress>& from = std::nullopt) {
  Message request =
      Message::question(RTM_GETROUTE, [dst] { return "look up the route to " + dst.to_string(); });
  auto& header = request.header<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(dst.family());
  header.rtm_dst_len = static_cast<std::uint8_t>(dst.bits());
  header.rtm_flags = flags;
  if (from) header.rtm_src_len = static_cast<std::uint8_t>(from->bits());
  request.put(route_dst, dst);
  if (from) request.put(route_src, *from);
  return request;
}

// IPv6 always reports the table, and refuses the flag (net/ipv6/route.c, inet6_rtm_valid_getroute_req).
std::uint32_t true_prefix(const IpAddress& dst) {
  return dst.is_v4() ? RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE : RTM_F_FIB_MATCH;
}

// ENETUNREACH: there is no route; the others: an unreachable, blackhole or prohibit route, a source that must not arrive
// on that link (EXDEV, fib_validate_source) or a link that has gone (ENODEV), or a kernel without IPv6 (EOPNOTSUPP).
bool no_usable_route(const Failure& refusal) {
  constexpr int errors[] = {ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, ESRCH, EXDEV, ENODEV, EOPNOTSUPP};
  return std::find(std::begin(errors), std::end(errors), refusal.error()) != std::end(errors);
}

Message question_about(const IpAddress& dst) { return question_for(dst, true_prefix(dst)); }

Message question_about(const Flow& flow) {
  Message request = question_for(flow.dst, true_prefix(flow.dst), flow.from);
  if (flow.link != 0) request.put(route_iif, flow.link);
  const auto& [protocol, from_port, to_port] = flow.transport;
  if (protocol != 0) request.put(route_ip_protocol, protocol);
  if (from_port != 0) request.put(route_source_port, htons(from_port));
  if (to_port != 0) request.put(route_port, htons(to_port));
  return request;
}

template <class Packet>
std::vector<std::optional<Route>> look_up(Socket& socket, std::span<const Packet> packets) {
  std::vector<std::optional<Route>> routes(packets.size());
  std::vector<Message> requests;
  // No more messages at a time than one send takes: thousands of them would take megabytes.
  for (std::size_t at = 0; at < packets.size(); at += Socket::batch) {
    requests.clear();
    for (const Packet& packet : packets.subspan(at, std::min(Socket::batch, packets.size() - at)))
      requests.push_back(question_about(packet));
    const auto outcomes = socket.execute_each(requests, [&](std::size_t place, const nlmsghdr& answer) {
      routes[at + place] = parse_route(answer);
    });
    for (const auto& outcome : outcomes)
      if (outcome && !no_usable_route(*outcome)) throw *outcome;
  }
  return routes;
}

}  // namespace

std::vector<std::optional<Route>> lookup_routes(Socket& socket, std::span<const IpAddress> destinations) {
  return look_up(socket, destinations);
}

std::vector<std::optional<Route>> lookup_forwards(Socket& socket, std::span<const Flow> flows) {
  return look_up(socket, flows);
}

std::optional<Route> lookup_route(Socket& socket, const IpAddress& dst) {
  return lookup_routes(socket, {&dst, 1}).front();
}

// The route to an address that belongs to nobody (RFC 5737, RFC 3849) is the default route. Hosts that send some of
// these addresses elsewhere (a test, a blackhole for bogons) do so with a longer prefix.
std::optional<Route> default_route(Socket& socket, IpFamily family) {
  static constexpr const char* nobodies[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"};
  for (const char* nobody : nobodies) {
    const IpAddress address = IpAddress::parse(nobody).value();
    if (address.family() != family) continue;
    bool none = false;  // no route fits: there is no default route
    const auto route =
        socket.find(question_for(address, true_prefix(address)), parse_route, [&](const Failure& refusal) {
          none = refusal.error() == ENETUNREACH;
          return no_usable_route(refusal);
        });
    if (none || (route && route->dst.length == 0)) return route;
  }
  return std::nullopt;
}

std::optional<Route> lookup_forward(Socket& socket, const Flow& flow) {
  return lookup_forwards(socket, {&flow, 1}).front();
}

std::optional<IpAddress> lookup_source(Socket& socket, const IpAddress& dst) {
  const auto parse = [](const nlmsghdr& answer) {
    return parts_of<rtmsg>(answer).attributes.get(route_prefsrc);
  };
  // With the true prefix, no source is chosen.
  return socket.find(question_for(dst, 0), parse, no_usable_route);
}

std::optional<Route> find_route(Socket& socket, const Route& key) {
  const auto is_it = [wanted = normalised(key)](const Route& route) { return same_key(route, wanted); };
  // The kernel looks up only what a packet would use. That is asked first, as tables may be long.
  const auto used = lookup_route(socket, key.dst.address);
  if (used && is_it(*used)) return used;
  for (const Route& route : list_routes(socket, {.family = key.dst.family(), .table = key.table}))
    if (is_it(route)) return route;
  return std::nullopt;
}

std::vector<Route> list_routes(Socket& socket, const RouteFilter& filter) {
  Message request(RTM_GETROUTE, 0, [link = filter.link] { return "list routes" + of_interface(link); });
  auto& header = request.header<rtmsg>();
  if (filter.family) header.rtm_family = static_cast<std::uint8_t>(*filter.family);
  header.rtm_protocol = filter.protocol;
  if (filter.table != 0) request.put(route_table, filter.table);
  if (filter.link != 0) request.put(route_oif, filter.link);
  try {
    return socket.dump<Route>(request, parse_route);
  } catch (const Failure& failure) {
    if (failure.error() == ENOENT) return {};  // strict checking: the table does not exist
    throw;
  }
}

}  // namespace onlink::netlink
