// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/fnv.h"
#include "base/json_reader.h"

namespace onlink::node {
namespace {

using nlohmann::json;

// One line. Not through the library's JSON values: there may be thousands, and every `apply` prints them.
std::string print_node(const Node& node) {
  std::string text = fmt::format("{{\"name\": {}", dump_json(node.name));
  const auto add = [&](const char* key, const std::optional<IpAddress>& address) {
    if (address) text += fmt::format(", \"{}\": \"{}\"", key, address->to_string());
  };
  add("nodeIP", node.ipv4);
  add("nodeIPv6", node.ipv6);
  text += ", \"podCIDRs\": [";
  for (std::size_t i = 0; i < node.pod_cidrs.size(); ++i)
    text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", node.pod_cidrs[i].to_string());
  text += ']';
  if (node.mode) text += fmt::format(", \"{}\": \"{}\"", mode_key(node.encapsulation), to_string(*node.mode));
  add("tunnelAddress", node.tunnel_address);
  return text + '}';
}

json print_prefixes(const std::vector<IpPrefix>& prefixes) {
  json texts = json::array();
  for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return texts;
}

struct Range {
  const char* prefix;
  const char* use;
};
// Never a host's address on any network (RFC 6890, RFC 4291). A route there would take something else from this host.
constexpr Range special_ranges[] = {
    {"0.0.0.0/8", "this network"}, {"127.0.0.0/8", "loopback"}, {"169.254.0.0/16", "link-local"},
    {"224.0.0.0/4", "multicast"},  {"240.0.0.0/4", "reserved"}, {"::/8", "loopback and reserved"},
    {"fe80::/10", "link-local"},   {"ff00::/8", "multicast"},
};

}  // namespace

std::string no_pod_subnet(const IpPrefix& prefix) {
  if (prefix.length == 0) return "is the whole address space";
  static const auto ranges = [] {
    std::vector<std::pair<IpPrefix, const char*>> parsed;
    for (const auto& [text, use] : special_ranges) parsed.emplace_back(IpPrefix::parse(text).value(), use);
    return parsed;
  }();
  for (const auto& [range, use] : ranges)
    if (range.overlaps(prefix)) return fmt::format("overlaps {}, which is {}", range.to_string(), use);
  return "";
}

std::vector<IpPrefix> read_prefixes(const JsonReader& reader, std::string_view key, std::size_t limit) {
  std::vector<IpPrefix> prefixes;
  const auto texts = reader.texts(key, limit);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", key, i);
    const auto prefix = IpPrefix::parse(texts[i]);
    if (!prefix) {
      reader.problem(place, fmt::format("must be a subnet like 10.10.0.0/24, not \"{}\"", texts[i]));
      continue;
    }
    if (prefix->has_host_bits())
      reader.problem(place, fmt::format("{} has host bits set; the subnet is {}", texts[i],
                                        prefix->network().to_string()));
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

const char* to_string(IpipMode mode) {
  switch (mode) {
    case IpipMode::never:
      return "Never";
    case IpipMode::cross_subnet:
      return "CrossSubnet";
    default:
      return "Always";
  }
}

bool tunnels_any_family(const Rules& rules) {
  return rules.encapsulation == Encapsulation::vxlan && rules.mode != IpipMode::never;
}

const char* mode_key(Encapsulation encapsulation) {
  return encapsulation == Encapsulation::ipip ? "ipipMode" : "vxlanMode";
}

std::optional<IpipMode> parse_mode(std::string_view text) {
  for (const IpipMode mode : {IpipMode::never, IpipMode::cross_subnet, IpipMode::always})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

namespace {

std::optional<IpipMode> named_mode(const Cluster& cluster, const Node& node) {
  const bool names = node.mode != IpipMode::never || node.encapsulation == cluster.encapsulation;
  return names ? node.mode : std::nullopt;
}

bool names_encapsulation(const Node& node) { return node.mode.value_or(IpipMode::never) != IpipMode::never; }

// The second address of the first subnet of a family.
std::optional<IpAddress> first_address(const Node& node, IpFamily family) {
  for (const IpPrefix& cidr : node.pod_cidrs)
    if (cidr.family() == family && !cidr.is_host())
      return IpAddress::from_number(family, cidr.network().address.number() + 1);
  return std::nullopt;
}

}  // namespace

IpipMode mode_between(const Cluster& cluster, const Node& peer) {
  const auto own = named_mode(cluster, cluster.self);
  const auto its = named_mode(cluster, peer);
  if (own && its) return std::max(*own, *its);
  return its ? *its : own.value_or(cluster.mode);
}

Encapsulation encapsulation_between(const Cluster& cluster, const Node& peer) {
  const bool own = names_encapsulation(cluster.self);
  const bool its = names_encapsulation(peer);
  if (!own && !its) return cluster.encapsulation;
  const bool vxlan = (own && cluster.self.encapsulation == Encapsulation::vxlan) ||
                     (its && peer.encapsulation == Encapsulation::vxlan);
  return vxlan ? Encapsulation::vxlan : Encapsulation::ipip;
}

bool may_tunnel(const Cluster& cluster, const Node& peer, Encapsulation encapsulation) {
  if (mode_between(cluster, peer) == IpipMode::never || encapsulation_between(cluster, peer) != encapsulation)
    return false;
  if (encapsulation == Encapsulation::ipip) return cluster.self.ipv4 && peer.ipv4;
  return outer_address(cluster, peer).has_value();
}

bool tunnels_at_its_wish(const Cluster& cluster, const Node& peer) {
  if (!peer.mode) return false;
  Node silent = peer;
  silent.mode.reset();
  const Encapsulation encapsulation = encapsulation_between(cluster, peer);
  return may_tunnel(cluster, peer, encapsulation) && !may_tunnel(cluster, silent, encapsulation);
}

std::optional<IpAddress> outer_address(const Cluster& cluster, const Node& node) {
  return cluster.self.ipv4 ? node.ipv4 : node.ipv6;
}

MacAddress vxlan_mac(const IpAddress& outer) {
  MacAddress mac;
  if (outer.is_v4()) {
    mac.bytes = {0x02, 0x6f};
    std::copy(outer.bytes().begin(), outer.bytes().end(), mac.bytes.begin() + 2);
    return mac;
  }
  std::uint64_t hash = fnv1a(outer.bytes());
  for (std::uint8_t& byte : mac.bytes) {
    byte = static_cast<std::uint8_t>(hash);
    hash >>= 8u;
  }
  mac.bytes[0] = 0x06;
  return mac;
}

std::optional<IpAddress> tunnel_address(const Node& node) {
  return node.tunnel_address ? node.tunnel_address : first_address(node, IpFamily::v4);
}

std::optional<IpAddress> tunnel_address_v6(const Node& node) { return first_address(node, IpFamily::v6); }

std::string print_cluster(const Cluster& cluster) {
  json document = {{mode_key(cluster.encapsulation), to_string(cluster.mode)},
                   {"masquerade", cluster.masquerade},
                   {"masqueradeExclude", print_prefixes(cluster.masquerade_exclude)},
                   {"filter", cluster.filter},
                   {"ipipSources", print_prefixes(cluster.ipip_sources)},
                   {"podInterfacePrefix", cluster.pod_interface_prefix},
                   {"resyncSeconds", cluster.resync_seconds},
                   {"maxWithdrawPercent", cluster.max_withdraw_percent}};
  // An earlier version knows neither.
  if (cluster.vxlan_port != Rules().vxlan_port) document["vxlanPort"] = cluster.vxlan_port;
  if (cluster.vxlan_vni != Rules().vxlan_vni) document["vxlanVNI"] = cluster.vxlan_vni;
  if (cluster.ipv6_direct) document["ipipModeIPv6"] = to_string(IpipMode::never);
  std::string text = dump_json(document, 1);
  text.resize(text.size() - 2);  // without its end, "\n}"
  text += ",\n \"nodes\": [\n  " + print_node(cluster.self);
  for (const Node& peer : cluster.peers) text += ",\n  " + print_node(peer);
  return text + "\n ]\n}\n";
}

}  // namespace onlink::node
