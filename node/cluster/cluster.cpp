// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json_reader.h"

namespace onlink::node {
namespace {

using nlohmann::json;

// A line. Not as a JSON value of the library: there may be thousands, and every `apply` prints them.
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
  if (node.mode) text += fmt::format(", \"ipipMode\": \"{}\"", to_string(*node.mode));
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
// What is no host's address on any network, by RFC 6890 and 4291. A route there would take something else from a host.
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

std::vector<IpPrefix> read_prefixes(const JsonReader& reader, std::string_view key) {
  std::vector<IpPrefix> prefixes;
  const auto texts = reader.texts(key);
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

std::optional<IpipMode> parse_mode(std::string_view text) {
  for (const IpipMode mode : {IpipMode::never, IpipMode::cross_subnet, IpipMode::always})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

IpipMode mode_between(const Cluster& cluster, const Node& peer) {
  const auto& own = cluster.self.mode;
  if (own && peer.mode) return std::max(*own, *peer.mode);
  if (peer.mode) return *peer.mode;
  return own.value_or(cluster.mode);
}

bool may_tunnel(const Cluster& cluster, const Node& peer) {
  return cluster.self.ipv4 && peer.ipv4 && mode_between(cluster, peer) != IpipMode::never;
}

std::optional<IpAddress> tunnel_address(const Node& node) {
  if (node.tunnel_address) return node.tunnel_address;
  for (const IpPrefix& cidr : node.pod_cidrs)
    if (cidr.address.is_v4() && !cidr.is_host())
      return IpAddress::from_number(IpFamily::v4, cidr.network().address.number() + 1);
  return std::nullopt;
}

std::string print_cluster(const Cluster& cluster) {
  json document = {{"ipipMode", to_string(cluster.mode)},
                   {"masquerade", cluster.masquerade},
                   {"masqueradeExclude", print_prefixes(cluster.masquerade_exclude)},
                   {"filter", cluster.filter},
                   {"ipipSources", print_prefixes(cluster.ipip_sources)},
                   {"podInterfacePrefix", cluster.pod_interface_prefix},
                   {"resyncSeconds", cluster.resync_seconds},
                   {"maxWithdrawPercent", cluster.max_withdraw_percent}};
  if (cluster.ipv6_direct) document["ipipModeIPv6"] = to_string(IpipMode::never);
  std::string text = dump_json(document, 1);
  text.resize(text.size() - 2);  // without its end, "\n}"
  text += ",\n \"nodes\": [\n  " + print_node(cluster.self);
  for (const Node& peer : cluster.peers) text += ",\n  " + print_node(peer);
  return text + "\n ]\n}\n";
}

}  // namespace onlink::node
