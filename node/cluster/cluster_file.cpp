// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/cluster_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "base/uninterrupted.h"
#include "node/cluster/bgp.h"
#include "node/cluster/cluster_check.h"

namespace onlink::node {
namespace {

using nlohmann::json;

std::optional<IpipMode> read_mode(const JsonReader& reader, std::string_view key) {
  const auto text = reader.text(key);
  if (!text) return std::nullopt;
  const auto mode = parse_mode(*text);
  if (!mode) reader.problem(key, fmt::format("must be Always, CrossSubnet or Never, not \"{}\"", *text));
  return mode;
}

// ipipMode or vxlanMode, whichever is not Never; nothing if neither is there.
struct Mode {
  IpipMode mode;
  Encapsulation encapsulation;
};
std::optional<Mode> read_modes(const JsonReader& reader) {
  const auto ipip = read_mode(reader, mode_key(Encapsulation::ipip));
  const auto vxlan = read_mode(reader, mode_key(Encapsulation::vxlan));
  if (ipip.value_or(IpipMode::never) != IpipMode::never && vxlan.value_or(IpipMode::never) != IpipMode::never)
    reader.problem("vxlanMode", fmt::format("is \"{}\" and ipipMode \"{}\": one of the two must be Never",
                                            to_string(*vxlan), to_string(*ipip)));
  if (vxlan && (*vxlan != IpipMode::never || !ipip)) return Mode{*vxlan, Encapsulation::vxlan};
  return ipip ? std::optional(Mode{*ipip, Encapsulation::ipip}) : std::nullopt;
}

Node read_node(const JsonReader& reader) {
  reader.allow_only({"name", "nodeIP", "nodeIPv6", "podCIDRs", "ipipMode", "vxlanMode", "tunnelAddress"});
  Node node;
  node.name = reader.text("name").value_or("");
  if (node.name.empty()) reader.problem("name", "is missing");
  node.ipv4 = reader.address("nodeIP", IpFamily::v4);
  node.ipv6 = reader.address("nodeIPv6", IpFamily::v6);
  if (!reader.has("nodeIP") && !reader.has("nodeIPv6")) reader.problem("nodeIP", "is missing");
  node.pod_cidrs = read_prefixes(reader, "podCIDRs", most_pod_cidrs);
  if (!reader.has("podCIDRs")) reader.problem("podCIDRs", "is missing");
  if (const auto mode = read_modes(reader)) {
    node.mode = mode->mode;
    node.encapsulation = mode->encapsulation;
  }
  node.tunnel_address = reader.address("tunnelAddress", IpFamily::v4);
  return node;
}

// Prefixes that the kernel, udev and others give to interfaces that are no pod's: rules for pods would apply to them.
// Those of other CNI plugins (cali, lxc) are pods' and allowed, except veth, which anybody uses.
constexpr std::string_view other_interfaces[] = {
    "br",  "cni",  "docker", "dummy", "em",    "en",  "eth",  "flannel", "gre",
    "ib",  "ifb",  "ip6",    "kube",  "lo",    "sit", "team", "tun",     "tap",
    "usb", "veth", "virbr",  "vlan",  "vxlan", "wg",  "wl",   "ww",      "bond"};

std::string read_interface_prefix(const JsonReader& reader) {
  const std::string prefix = reader.text("podInterfacePrefix").value_or(Rules().pod_interface_prefix);
  const bool plain = std::all_of(prefix.begin(), prefix.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (prefix.empty() || prefix.size() > 4 || !plain)
    reader.problem("podInterfacePrefix",
                   fmt::format("must be 1 to 4 letters, digits, '-' or '_', not \"{}\"", prefix));
  const auto other = std::find_if(
      std::begin(other_interfaces), std::end(other_interfaces),
      [&](std::string_view name) { return name.starts_with(prefix) || prefix.starts_with(name); });
  if (!prefix.empty() && other != std::end(other_interfaces))
    reader.problem(
        "podInterfacePrefix",
        fmt::format("\"{}\" would also match interfaces that belong to no pod ({}...)", prefix, *other));
  return prefix;
}

Rules read_rules(const JsonReader& reader) {
  reader.allow_only({"nodes", "ipipMode", "ipipModeIPv6", "vxlanMode", "vxlanPort", "vxlanVNI", "masquerade",
                     "masqueradeExclude", "filter", "ipipSources", "podInterfacePrefix", "resyncSeconds",
                     "maxWithdrawPercent", "bgp", "source"});
  Rules rules;
  // "vxlanMode": "Never" alone leaves ipipMode at its default.
  if (const auto mode = read_modes(reader);
      mode && (mode->encapsulation == Encapsulation::ipip || mode->mode != IpipMode::never)) {
    rules.mode = mode->mode;
    rules.encapsulation = mode->encapsulation;
  }
  rules.vxlan_port =
      static_cast<std::uint16_t>(reader.integer("vxlanPort", 1, 65535).value_or(rules.vxlan_port));
  rules.vxlan_vni =
      static_cast<std::uint32_t>(reader.integer("vxlanVNI", 1, 16'777'215).value_or(rules.vxlan_vni));
  if (const auto mode = read_mode(reader, "ipipModeIPv6")) {
    rules.ipv6_direct = *mode == IpipMode::never;
    if (!rules.ipv6_direct)
      reader.problem("ipipModeIPv6",
                     "IPIP carries IPv4 only: \"Never\" is the one mode for IPv6 pod subnets");
  }
  rules.masquerade = reader.boolean("masquerade").value_or(rules.masquerade);
  rules.masquerade_exclude = read_prefixes(reader, "masqueradeExclude");
  rules.filter = reader.boolean("filter").value_or(rules.filter);
  rules.ipip_sources = read_prefixes(reader, "ipipSources");
  rules.pod_interface_prefix = read_interface_prefix(reader);
  rules.resync_seconds =
      static_cast<std::uint32_t>(reader.integer("resyncSeconds", 1, 3600).value_or(rules.resync_seconds));
  rules.max_withdraw_percent = static_cast<std::uint32_t>(
      reader.integer("maxWithdrawPercent", 1, 100).value_or(rules.max_withdraw_percent));
  return rules;
}

SourceConfig read_source(const JsonReader& reader) {
  SourceConfig config;
  if (!reader.has("source")) return config;
  const JsonReader source = reader.child("source");
  if (const json* settings = reader.find("source"); settings->is_object()) config.settings = *settings;
  config.type = source.text("type").value_or("");
  if (config.type.empty()) source.problem("type", "is missing");
  return config;
}

// Any problem refuses the whole list.
void check_all(const ClusterFile& file, const std::string& node_name, Problems& problems) {
  const auto self = std::find_if(file.nodes.begin(), file.nodes.end(),
                                 [&](const PlacedNode& placed) { return placed.node.name == node_name; });
  if (file.nodes.empty())
    problems.add("nodes", "is missing or empty");
  else if (self == file.nodes.end())
    problems.add("nodes", fmt::format("this node, \"{}\", is not among them", node_name));
  NodeChecks checks(node_name, file.rules);
  const auto check = [&](const PlacedNode& placed) {
    checks.check(placed, problems);
    checks.take(placed);
  };
  if (self != file.nodes.end()) check(*self);
  for (auto placed = file.nodes.begin(); placed != file.nodes.end(); ++placed)
    if (placed != self) check(*placed);
  if (self == file.nodes.end()) return;
  const Cluster cluster = assemble(file.rules, file.nodes, node_name);
  for (auto placed = file.nodes.begin(); placed != file.nodes.end(); ++placed)
    if (placed != self) check_mode(cluster, *placed, problems);
  if (cluster.self.ipv4) check_tunnel_address(cluster, problems);
}

}  // namespace

ClusterFile parse_cluster_file(std::string_view text, std::string_view name, const std::string& node_name) {
  const json document = parse_unambiguous_json(text, name);
  Problems problems;
  const JsonReader reader(document, problems);
  ClusterFile file;
  file.rules = read_rules(reader);
  file.source = read_source(reader);
  const auto entries = reader.children("nodes", most_nodes);
  file.nodes.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i)
    file.nodes.push_back({fmt::format("nodes[{}]", i), read_node(entries[i])});
  if (file.source.type == "file" || !file.nodes.empty()) check_all(file, node_name, problems);
  if (reader.has("bgp")) {  // bird-config uses the rest; here only to find its problems
    std::vector<std::string> names;
    for (const PlacedNode& placed : file.nodes) names.push_back(placed.node.name);
    file.bgp_prefixes = read_bgp(reader.child("bgp"), names).prefixes;
  }
  problems.throw_if_any(name);
  return file;
}

namespace {

struct stat status_of(const UniqueFd& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_failure("look at " + path);
  return status;
}

// To the writer's end; one that does not come, or does not end in time, is not waited for.
std::string read_pipe(const UniqueFd& pipe, const std::string& path) {
  constexpr std::int64_t longest_ms = 5'000;
  const std::int64_t until = monotonic_ms() + longest_ms;
  std::string text;
  for (char buffer[4096];;) {
    pollfd event{pipe.get(), POLLIN, 0};
    const auto left = static_cast<int>(std::max<std::int64_t>(until - monotonic_ms(), 0));
    if (left == 0 || uninterrupted([&] { return ::poll(&event, 1, left); }) == 0)
      throw Failure(FailureKind::try_again,
                    fmt::format("read {}: {} from this pipe in {} s", path,
                                text.empty() ? "nothing comes" : "no end comes", longest_ms / 1000));
    const ssize_t count = uninterrupted([&] { return ::read(pipe.get(), buffer, sizeof buffer); });
    if (count == 0) return text;
    if (count < 0) throw system_failure("read " + path);
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > largest_cluster_file)
      throw Failure(fmt::format("read {}: larger than {} bytes", path, largest_cluster_file), EFBIG);
  }
}

// Half of an old list and half of a new one that overwrites it can be a valid list. File times advance with the
// kernel's tick: two writes within one tick look like no change.
std::string read_unchanged(const std::string& path) {
  constexpr int attempts = 10;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const UniqueFd file = open_file(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const struct stat before = status_of(file, path);
    if (S_ISFIFO(before.st_mode)) return read_pipe(file, path);
    if (!S_ISREG(before.st_mode))
      throw Failure(FailureKind::configuration, fmt::format("read {}: it is not a regular file", path));
    std::string text = read_all(file.get(), path, largest_cluster_file);
    const struct stat after = status_of(file, path);
    const bool unchanged =
        before.st_size == after.st_size && nanoseconds(before.st_mtim) == nanoseconds(after.st_mtim);
    if (unchanged) return text;
  }
  throw Failure(FailureKind::try_again, fmt::format("{} changes each time that it is read", path));
}

}  // namespace

ClusterFile read_cluster_file(const std::string& path, const std::string& node_name) {
  return parse_cluster_file(read_unchanged(path), path, node_name);
}

Cluster assemble(const Rules& rules, const std::vector<PlacedNode>& nodes, const std::string& node_name) {
  Cluster cluster;
  static_cast<Rules&>(cluster) = rules;
  cluster.peers.reserve(nodes.size());
  bool found = false;  // if two have our name, the first counts
  for (const PlacedNode& placed : nodes) {
    const bool self = !found && placed.node.name == node_name;
    found = found || self;
    if (self)
      cluster.self = placed.node;
    else
      cluster.peers.push_back(placed.node);
  }
  return cluster;
}

Cluster parse_cluster(std::string_view text, std::string_view name, const std::string& node_name) {
  const ClusterFile file = parse_cluster_file(text, name, node_name);
  if (file.nodes.empty())
    throw Failure(FailureKind::configuration,
                  fmt::format("{}: its nodes come from the source {}", name, file.source.type));
  return assemble(file.rules, file.nodes, node_name);
}

}  // namespace onlink::node
