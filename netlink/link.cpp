// SPDX-License-Identifier: Apache-2.0
#include "netlink/link.h"

#include <fmt/format.h>
#include <linux/ip.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "netlink/attributes.h"

namespace onlink::netlink {
namespace {

ifinfomsg& link_header(Message& message, std::uint32_t index = 0) {
  auto& header = message.header<ifinfomsg>();
  header.ifi_index = static_cast<int>(index);
  return header;
}

// Counters are not needed; they are half of an answer, and gathered from every CPU.
Message question_about(std::uint32_t index, Message::Words what) {
  Message message = Message::question(RTM_GETLINK, std::move(what));
  link_header(message, index);
  message.put(link_extensions, RTEXT_FILTER_SKIP_STATS);
  return message;
}

std::vector<std::uint32_t> parse_conf(const Attributes& attributes, Attribute<Nested> family,
                                      std::uint16_t type) {
  const auto bytes = attributes.get(link_af_spec).get(family).bytes(type);
  std::vector<std::uint32_t> values(bytes.size() / sizeof(std::uint32_t));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(std::uint32_t));
  return values;
}

std::optional<IpAddress> specified(std::optional<IpAddress> address) {
  return address && !address->is_unspecified() ? address : std::nullopt;
}

std::optional<IpipSettings> parse_ipip(const Attributes& info) {
  const auto data = info.get(link_info_data);
  if (data.empty()) return std::nullopt;
  return IpipSettings{specified(data.get(tunnel_local)), specified(data.get(tunnel_remote)),
                      data.get(tunnel_ttl).value_or(0), data.get(tunnel_pmtudisc).value_or(0) != 0};
}

std::optional<VxlanSettings> parse_vxlan(const Attributes& info) {
  const auto data = info.get(link_info_data);
  if (data.empty()) return std::nullopt;
  auto local = specified(data.get(vxlan_local));
  if (!local) local = specified(data.get(vxlan_local6));
  return VxlanSettings{data.get(vxlan_vni).value_or(0), local, ntohs(data.get(vxlan_port).value_or(0)),
                       data.get(vxlan_learning).value_or(0) != 0};
}

bool is_gone(const Failure& refusal) { return refusal.error() == ENODEV; }
bool is_gone_or_dead(const Failure& refusal) { return is_gone(refusal) || refusal.error() == EINVAL; }

std::optional<bool> parse_xdp(const nlmsghdr& message) {
  const auto xdp = parts_of<ifinfomsg>(message).attributes.get(link_xdp);
  return xdp.get(xdp_attached).value_or(XDP_ATTACHED_NONE) != XDP_ATTACHED_NONE;
}

std::optional<LinkCounters> parse_counters(const nlmsghdr& message) {
  const auto bytes = parts_of<ifinfomsg>(message).attributes.bytes(link_counters.type);
  rtnl_link_stats64 stats{};  // later kernels append to it, earlier ones have less
  std::memcpy(&stats, bytes.data(), std::min(bytes.size(), sizeof stats));
  return LinkCounters{stats.rx_packets, stats.tx_packets, stats.rx_bytes,
                      stats.tx_bytes,   stats.rx_dropped, stats.tx_dropped};
}

}  // namespace

bool Link::up() const { return (flags & IFF_UP) != 0; }

namespace {

std::uint32_t value_at(const std::vector<std::uint32_t>& values, int place) {
  return static_cast<std::size_t>(place) < values.size() ? values[static_cast<std::size_t>(place)] : 0;
}

}  // namespace

std::uint32_t Link::ipv4_setting(int devconf) const { return value_at(ipv4_conf, devconf - 1); }
std::uint32_t Link::ipv6_setting(int devconf) const { return value_at(ipv6_conf, devconf); }

const char* ipv4_setting_name(int devconf) {
  switch (devconf) {
    case IPV4_DEVCONF_FORWARDING:
      return "forwarding";
    case IPV4_DEVCONF_PROXY_ARP:
      return "proxy_arp";
    case IPV4_DEVCONF_RP_FILTER:
      return "rp_filter";
    case IPV4_DEVCONF_ACCEPT_REDIRECTS:
      return "accept_redirects";
    case IPV4_DEVCONF_SEND_REDIRECTS:
      return "send_redirects";
    default:
      return "unknown";
  }
}

Message create_veth(const VethPair& pair) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                  [name = pair.name, peer_name = pair.peer_name, path = pair.peer_netns->path()] {
                    return fmt::format("create veth {} (host) - {} ({})", name, peer_name, path);
                  });
  link_header(message);
  message.put(link_name, pair.name);
  message.put(link_mac, pair.mac);
  message.put(link_mtu, pair.mtu);
  message.put(link_group, pair.group);
  message.nest(link_info, [&] {
    message.put(link_info_kind, "veth");
    message.nest(link_info_data, [&] {
      message.nest(veth_peer, [&] {
        link_header(message);
        message.put(link_name, pair.peer_name);
        message.put(link_mac, pair.peer_mac);
        message.put(link_mtu, pair.mtu);
        message.put(link_netns_fd, static_cast<std::uint32_t>(pair.peer_netns->fd()));
      });
    });
  });
  static constexpr Message::Explanation refusals[] = {{EEXIST, "one of the two names is taken"}};
  return std::move(message).explain(refusals);
}

namespace {

void put_ipv4_settings(Message& message, const Ipv4Settings& settings) {
  message.nest(af_spec_inet, [&] {
    message.nest(inet_conf, [&] {
      for (const auto& [devconf, value] : settings)
        message.put(Attribute<std::uint32_t>{static_cast<std::uint16_t>(devconf)}, value);
    });
  });
}

}  // namespace

Message set_ipv4_settings(std::uint32_t index, const std::string& name, const Ipv4Settings& settings) {
  Message message(RTM_SETLINK, 0, [name] { return "set IPv4 settings of " + name; });
  link_header(message, index);
  message.nest(link_af_spec, [&] { put_ipv4_settings(message, settings); });
  return message;
}

Message configure_link(std::uint32_t index, const std::string& name, const LinkSettings& settings) {
  Message message(RTM_SETLINK, 0, [name] { return "configure " + name; });
  link_header(message, index);
  if (!settings.alias.empty()) message.put(link_alias, settings.alias);
  message.put(link_group, 0u);
  message.nest(link_af_spec, [&] {
    put_ipv4_settings(message, settings.ipv4);
    if (settings.manual_link_local)
      message.nest(af_spec_inet6, [&] { message.put(inet6_addr_gen_mode, IN6_ADDR_GEN_MODE_NONE); });
  });
  return message;
}

Message set_proxy_delay(std::uint32_t index, const std::string& name, IpFamily family,
                        std::uint64_t milliseconds) {
  Message message(RTM_SETNEIGHTBL, 0, [name] { return "set proxy_delay of " + name; });
  message.header<ndtmsg>().ndtm_family = static_cast<std::uint8_t>(family);
  message.put(neightbl_name, family == IpFamily::v4 ? "arp_cache" : "ndisc_cache");
  message.nest(neightbl_parms, [&] {
    message.put(neightbl_ifindex, index);
    message.put(neightbl_proxy_delay, milliseconds);
  });
  return message;
}

Message set_link_up(std::uint32_t index, const std::string& name) {
  Message message(RTM_NEWLINK, 0, [name] { return fmt::format("set {} up", name); });
  auto& header = link_header(message, index);
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  return message;
}

Message set_link_down(std::uint32_t index, const std::string& name) {
  Message message(RTM_NEWLINK, 0, [name] { return fmt::format("set {} down", name); });
  link_header(message, index).ifi_change = IFF_UP;
  return message;
}

Message set_link_mtu(std::uint32_t index, const std::string& name, std::uint32_t mtu) {
  Message message(RTM_NEWLINK, 0, [name, mtu] { return fmt::format("set {} mtu {}", name, mtu); });
  link_header(message, index);
  message.put(link_mtu, mtu);
  return message;
}

Message create_ipip(const std::string& name, const std::optional<IpAddress>& local) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [name, local] {
    return fmt::format("create tunnel {} mode ipip{}", name, local ? " local " + local->to_string() : "");
  });
  link_header(message);
  message.put(link_name, name);
  message.nest(link_info, [&] {
    message.put(link_info_kind, "ipip");
    if (local) message.nest(link_info_data, [&] { message.put(tunnel_local, *local); });
  });
  static constexpr Message::Explanation refusals[] = {{EOPNOTSUPP, "this kernel has no ipip module"}};
  return std::move(message).explain(refusals);
}

void change_ipip(const std::string& name, std::uint8_t ttl, bool pmtudisc) {
  const std::string what =
      fmt::format("change tunnel {} mode ipip ttl {} {}", name, ttl, pmtudisc ? "pmtudisc" : "nopmtudisc");
  ip_tunnel_parm parameters{};
  name.copy(parameters.name, sizeof parameters.name - 1);
  parameters.iph.version = 4;
  parameters.iph.ihl = 5;
  parameters.iph.protocol = IPPROTO_IPIP;
  parameters.iph.ttl = ttl;
  parameters.iph.frag_off = pmtudisc ? htons(0x4000) : 0;  // IP_DF
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&parameters);
  const UniqueFd any_socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any_socket || ::ioctl(any_socket.get(), SIOCCHGTUNNEL, &request) != 0) throw system_failure(what);
}

Message create_vxlan(const std::string& name, const VxlanSettings& settings, const MacAddress& mac,
                     std::uint32_t mtu) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                  [name] { return fmt::format("create {} of type vxlan", name); });
  link_header(message);
  message.put(link_name, name);
  message.put(link_mac, mac);
  if (mtu != 0) message.put(link_mtu, mtu);
  message.nest(link_info, [&] {
    message.put(link_info_kind, "vxlan");
    message.nest(link_info_data, [&] {
      message.put(vxlan_vni, settings.vni);
      if (settings.local) message.put(settings.local->is_v4() ? vxlan_local : vxlan_local6, *settings.local);
      message.put(vxlan_port, htons(settings.port));
      message.put(vxlan_learning, static_cast<std::uint8_t>(settings.learning));
    });
  });
  static constexpr Message::Explanation refusals[] = {
      {EOPNOTSUPP, "this kernel has no vxlan module"},
      {EEXIST, "another VXLAN device has this VNI and port already"}};
  return std::move(message).explain(refusals);
}

Message delete_link(std::uint32_t index, const std::string& name) {
  Message message(RTM_DELLINK, 0, [name] { return "delete " + name; });
  link_header(message, index);
  return message;
}

// ENODEV only: ENOENT and the like do not mean that the link is gone.
void delete_link_if_any(Socket& socket, const Link& link) {
  try {
    socket.execute(delete_link(link.index, link.name));
  } catch (const Failure& failure) {
    if (!is_gone(failure)) throw;
  }
}

std::string of_interface(std::uint32_t index) {
  return index != 0 ? fmt::format(" of interface {}", index) : "";
}

Message get_link(const std::string& name) {
  Message message = question_about(0, [name] { return "look up " + name; });
  message.put(link_name, name);
  return message;
}

Message get_link(std::uint32_t index) {
  return question_about(index, [index] { return fmt::format("look up interface {}", index); });
}

std::optional<Link> parse_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto [header, attributes] = parts_of<ifinfomsg>(message);
  Link link;
  link.index = static_cast<std::uint32_t>(header.ifi_index);
  link.flags = header.ifi_flags;
  link.name = attributes.get(link_name).value_or("");
  link.alias = attributes.get(link_alias).value_or("");
  link.group = attributes.get(link_group).value_or(0);
  link.mac = attributes.get(link_mac);
  link.mtu = attributes.get(link_mtu).value_or(0);
  link.peer = attributes.get(link_peer).value_or(0);
  link.master = attributes.get(link_master).value_or(0);
  link.peer_netns = attributes.get(link_peer_netns);
  const auto info = attributes.get(link_info);
  link.kind = info.get(link_info_kind).value_or("");
  link.port_kind = info.get(link_info_port_kind).value_or("");
  if (link.kind == "ipip") link.ipip = parse_ipip(info);
  if (link.kind == "vxlan") link.vxlan = parse_vxlan(info);
  link.ipv4_conf = parse_conf(attributes, af_spec_inet, IFLA_INET_CONF);
  link.ipv6_conf = parse_conf(attributes, af_spec_inet6, IFLA_INET6_CONF);
  return link;
}

std::optional<bool> has_xdp(Socket& socket, std::uint32_t index) {
  return socket.find(get_link(index), parse_xdp, is_gone);
}

std::optional<LinkCounters> read_counters(Socket& socket, std::uint32_t index) {
  Message question = Message::question(
      RTM_GETLINK, [index] { return fmt::format("read the counters of interface {}", index); });
  link_header(question, index);
  return socket.find(std::move(question), parse_counters, is_gone);
}

std::optional<Link> find_link(Socket& socket, const std::string& name) {
  return socket.find(get_link(name), parse_link, is_gone);
}
std::optional<Link> find_link(Socket& socket, std::uint32_t index) {
  if (index == 0) return std::nullopt;  // of a route without an interface, or with several
  return socket.find(get_link(index), parse_link, is_gone);
}

std::optional<std::int32_t> find_netns_id(Socket& socket, const Netns& netns) {
  Message request =
      Message::question(RTM_GETNSID, [path = netns.path()] { return "ask for the ID of " + path; });
  (void)request.header<rtgenmsg>();
  request.put(netns_descriptor, static_cast<std::uint32_t>(netns.fd()));
  std::optional<std::int32_t> id;
  socket.execute(std::move(request),
                 [&](const nlmsghdr& answer) { id = parts_of<rtgenmsg>(answer).attributes.get(netns_id); });
  return id && *id >= 0 ? id : std::nullopt;
}

// A dying namespace has no ID any more (peernet2id: negative), and a dead one is refused (rtnl_get_net_ns_capable:
// EINVAL).
std::optional<Link> find_peer(Socket& socket, const Link& link) {
  if (!link.peer_netns) return find_link(socket, link.peer);
  if (*link.peer_netns < 0) return std::nullopt;
  Message request = question_about(link.peer, [&] { return "look up the other end of " + link.name; });
  request.put(link_target_netns, *link.peer_netns);
  return socket.find(std::move(request), parse_link, is_gone_or_dead);
}

bool peer_lives(Socket& socket, const Link& link) {
  if (find_peer(socket, link)) return true;
  // The other end may have moved since `link` was read, into a namespace of another ID.
  const auto now = find_link(socket, link.index);
  return now && (now->peer_netns != link.peer_netns || now->peer != link.peer) && peer_lives(socket, *now);
}

namespace {

Message all_links(const std::string& kind) {
  Message request(RTM_GETLINK, 0, [] { return std::string("list links"); });
  link_header(request);
  request.put(link_extensions, RTEXT_FILTER_SKIP_STATS);
  if (!kind.empty()) request.nest(link_info, [&] { request.put(link_info_kind, kind); });
  return request;
}

}  // namespace

bool any_link(const std::string& kind, const std::function<bool(const Link&)>& is_it) {
  return Socket::open().dump_until(all_links(kind), [&](const nlmsghdr& message) {
    const auto link = parse_link(message);
    return link && link->kind == kind && is_it(*link);
  });
}

std::vector<Link> list_links(Socket& socket, const std::string& kind) {
  auto links = socket.dump<Link>(all_links(kind), parse_link);
  // The kernel skips its filter when no link of that kind exists yet (rtnl_dump_ifinfo: the kind is not
  // registered).
  if (!kind.empty()) std::erase_if(links, [&](const Link& link) { return link.kind != kind; });
  return links;
}

}  // namespace onlink::netlink
