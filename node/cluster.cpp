// SPDX-License-Identifier: Apache-2.0
#include "node/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_reader.h"
#include "node/bgp.h"
#include "node/cluster_check.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr std::size_t most_nodes = 100'000;

std::optional<IpipMode> read_mode(const JsonReader& reader, std::string_view key) {
  const auto text = reader.text(key);
  if (!text) return std::nullopt;
  for (const IpipMode mode : {IpipMode::never, IpipMode::cross_subnet, IpipMode::always})
    if (*text == to_string(mode)) return mode;
  reader.problem(key, fmt::format("must be Always, CrossSubnet or Never, not \"{}\"", *text));
  return std::nullopt;
}

Node read_node(const JsonReader& reader) {
  reader.allow_only({"name", "nodeIP", "nodeIPv6", "podCIDRs", "ipipMode", "tunnelAddress"});
  Node node;
  node.name = reader.text("name").value_or("");
  if (node.name.empty()) reader.problem("name", "is missing");
  node.ipv4 = reader.address("nodeIP", IpFamily::v4);
  node.ipv6 = reader.address("nodeIPv6", IpFamily::v6);
  if (!reader.has("nodeIP") && !reader.has("nodeIPv6")) reader.problem("nodeIP", "is missing");
  node.pod_cidrs = read_prefixes(reader, "podCIDRs");
  if (!reader.has("podCIDRs")) reader.problem("podCIDRs", "is missing");
  node.mode = read_mode(reader, "ipipMode");
  node.tunnel_address = reader.address("tunnelAddress", IpFamily::v4);
  return node;
}

void read_rules(const JsonReader& reader, Cluster& cluster) {
  reader.allow_only({"nodes", "ipipMode", "ipipModeIPv6", "masquerade", "masqueradeExclude", "filter",
                     "ipipSources", "podInterfacePrefix", "resyncSeconds", "bgp"});
  cluster.mode = read_mode(reader, "ipipMode").value_or(cluster.mode);
  if (const auto mode = read_mode(reader, "ipipModeIPv6")) {
    cluster.ipv6_direct = *mode == IpipMode::never;
    if (!cluster.ipv6_direct)
      reader.problem("ipipModeIPv6",
                     "IPIP carries IPv4 only: \"Never\" is the one mode for IPv6 pod subnets");
  }
  cluster.masquerade = reader.boolean("masquerade").value_or(cluster.masquerade);
  cluster.masquerade_exclude = read_prefixes(reader, "masqueradeExclude");
  cluster.filter = reader.boolean("filter").value_or(cluster.filter);
  cluster.ipip_sources = read_prefixes(reader, "ipipSources");
  cluster.pod_interface_prefix = reader.text("podInterfacePrefix").value_or(cluster.pod_interface_prefix);
  const std::string& prefix = cluster.pod_interface_prefix;
  const bool plain = std::all_of(prefix.begin(), prefix.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (prefix.empty() || prefix.size() > 4 || !plain)
    reader.problem("podInterfacePrefix", "must be 1 to 4 letters, digits, '-' or '_'");
  cluster.resync_seconds =
      static_cast<std::uint32_t>(reader.integer("resyncSeconds", 1, 3600).value_or(cluster.resync_seconds));
}

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

}  // namespace

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

Cluster parse_cluster(std::string_view text, std::string_view name, const std::string& node_name) {
  const json document = parse_json(text, name);
  Problems problems;
  const JsonReader reader(document, problems);
  Cluster cluster;
  read_rules(reader, cluster);
  std::vector<PlacedNode> nodes;
  for (const JsonReader& entry : reader.children("nodes", most_nodes))
    nodes.push_back({entry.path("x"), read_node(entry)});
  for (PlacedNode& node : nodes) node.path.resize(node.path.size() - 2);  // "nodes[3]"
  if (nodes.empty()) problems.add("nodes", "is missing or empty");
  const auto self = std::find_if(nodes.begin(), nodes.end(),
                                 [&](const PlacedNode& placed) { return placed.node.name == node_name; });
  if (!nodes.empty() && self == nodes.end())
    problems.add("nodes", fmt::format("this node, \"{}\", is not among them", node_name));
  check_nodes(nodes, self == nodes.end() ? nullptr : &*self, problems);
  if (reader.has("bgp")) {  // for bird-config; here only its problems count
    std::vector<std::string> names;
    for (const PlacedNode& placed : nodes) names.push_back(placed.node.name);
    (void)read_bgp(reader.child("bgp"), names);
  }
  for (const PlacedNode& placed : nodes) {
    if (self != nodes.end() && &placed == &*self)
      cluster.self = placed.node;
    else
      cluster.peers.push_back(placed.node);
  }
  if (self != nodes.end()) check_modes(cluster, nodes, problems);
  problems.throw_if_any(name);
  return cluster;
}

std::string print_cluster(const Cluster& cluster) {
  json document = {{"ipipMode", to_string(cluster.mode)},
                   {"masquerade", cluster.masquerade},
                   {"masqueradeExclude", print_prefixes(cluster.masquerade_exclude)},
                   {"filter", cluster.filter},
                   {"ipipSources", print_prefixes(cluster.ipip_sources)},
                   {"podInterfacePrefix", cluster.pod_interface_prefix},
                   {"resyncSeconds", cluster.resync_seconds}};
  if (cluster.ipv6_direct) document["ipipModeIPv6"] = to_string(IpipMode::never);
  std::string text = dump_json(document, 1);
  text.resize(text.size() - 2);  // without its end, "\n}"
  text += ",\n \"nodes\": [\n  " + print_node(cluster.self);
  for (const Node& peer : cluster.peers) text += ",\n  " + print_node(peer);
  return text + "\n ]\n}\n";
}

}  // namespace onlink::node
