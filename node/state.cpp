// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ip.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iterator>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"

namespace onlink::node {
namespace {

using nlohmann::json;

// 5,000 peers take 0.6 MB; the limit only keeps a wrong file from filling the memory.
constexpr std::size_t largest_file = 64u << 20;

std::optional<std::string> read_large_file(const std::string& path) {
  return read_file(AT_FDCWD, path, largest_file);
}

std::string run_file(const Directories& directories) { return directories.run + "/node.json"; }
std::string paths_file(const Directories& directories) { return directories.run + "/paths"; }
std::string list_file(const Directories& directories) { return directories.state + "/cluster.json"; }
std::string reserved_file(const Directories& directories) { return directories.run + "/reserved"; }
std::string mtu_file(const Directories& directories) { return directories.run + "/mtu"; }

// A file for others: replaced as a whole, only if it differs; removed if empty.
void publish(const Directories& directories, const std::string& path, const std::string& text) {
  if (text.empty()) return remove_file(path);
  if (read_large_file(path) == text) return;
  make_directories(directories.run);
  replace_file(AT_FDCWD, path, text, 0644, false);
}

json print(const std::vector<IpPrefix>& prefixes) {
  json texts = json::array();
  for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return texts;
}

std::vector<IpPrefix> parse_prefixes(const json& texts) {
  std::vector<IpPrefix> prefixes;
  for (const json& text : texts)
    if (const auto prefix = IpPrefix::parse(text.get<std::string>())) prefixes.push_back(*prefix);
  return prefixes;
}

json print(const Before& before) {
  return {{"forwardingV4", before.forwarding_v4},
          {"forwardingV6", before.forwarding_v6},
          {"tunnel", before.tunnel},
          {"tunnelUp", before.tunnel_up},
          {"tunnelMtu", before.tunnel_mtu},
          {"tunnelTtl", before.tunnel_ttl},
          {"tunnelPmtudisc", before.tunnel_pmtudisc},
          {"tunnelRpFilter", before.tunnel_rp_filter},
          {"tunnelAddresses", print(before.tunnel_addresses)}};
}

Before parse_before(const json& document) {
  return {document.at("forwardingV4").get<bool>(),
          document.at("forwardingV6").get<bool>(),
          document.at("tunnel").get<bool>(),
          document.at("tunnelUp").get<bool>(),
          document.at("tunnelMtu").get<std::uint32_t>(),
          document.at("tunnelTtl").get<std::uint8_t>(),
          document.at("tunnelPmtudisc").get<bool>(),
          document.value("tunnelRpFilter", std::uint32_t{2}),
          parse_prefixes(document.at("tunnelAddresses"))};
}

RunState parse_run_state(const json& document) {
  RunState state;
  if (document.contains("before")) state.before = parse_before(document.at("before"));
  state.own_addresses = parse_prefixes(document.at("ownAddresses"));
  state.ipip_missing = document.value("ipipMissing", false);
  state.accept_ra = document.value("acceptRa", state.accept_ra);
  if (const auto rules = document.find("rules"); rules != document.end())
    state.ruleset = {rules->at("structure").get<std::string>(), rules->at("elements").get<std::string>(),
                     rules->at("listing").get<std::string>(), rules->at("generation").get<std::string>()};
  return state;
}

}  // namespace

// Lines, not JSON: there may be thousands.
std::unordered_map<std::string_view, Since> parse_paths(std::string_view lines) {
  std::unordered_map<std::string_view, Since> paths;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const auto first = line.find(' ');
    const auto second = line.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    Since since{line.substr(second + 1), 0};
    if (std::from_chars(line.data() + first + 1, line.data() + second, since.when).ec != std::errc())
      continue;
    paths.emplace(line.substr(0, first), since);
  }
  return paths;
}

Before remember(const Host& host) {
  Before before;
  before.forwarding_v4 = host.forwarding_v4;
  before.forwarding_v6 = host.forwarding_v6;
  if (!host.tunl0) return before;
  before.tunnel = true;
  before.tunnel_up = host.tunl0->up();
  before.tunnel_mtu = host.tunl0->mtu;
  before.tunnel_rp_filter = host.tunl0->ipv4_setting(IPV4_DEVCONF_RP_FILTER);
  for (const netlink::Address& address : host.tunl0_addresses)
    before.tunnel_addresses.push_back(address.prefix);
  if (host.tunl0->ipip) {
    before.tunnel_ttl = host.tunl0->ipip->ttl;
    before.tunnel_pmtudisc = host.tunl0->ipip->pmtudisc;
  }
  return before;
}

RunState load_run_state(const Directories& directories) {
  const auto text = read_large_file(run_file(directories));
  if (!text) return {};
  RunState state;
  try {
    state = parse_run_state(parse_json(*text, run_file(directories)));
    state.paths = read_large_file(paths_file(directories)).value_or("");
  } catch (const std::exception&) {
  }
  return state;
}

bool has_run_state(const Directories& directories) {
  return ::access(run_file(directories).c_str(), F_OK) == 0;
}

void save_run_state(const Directories& directories, const RunState& state) {
  json document = {{"ownAddresses", print(state.own_addresses)}};
  if (state.ipip_missing) document["ipipMissing"] = true;
  if (!state.accept_ra.empty()) document["acceptRa"] = state.accept_ra;
  if (state.before) document["before"] = print(*state.before);
  if (const Loaded& rules = state.ruleset; rules != Loaded{})
    document["rules"] = {{"structure", rules.structure},
                         {"elements", rules.elements},
                         {"listing", rules.listing},
                         {"generation", rules.generation}};
  make_directories(directories.run);
  replace_file(AT_FDCWD, paths_file(directories), state.paths, 0644, false);
  replace_file(AT_FDCWD, run_file(directories), dump_json(document, 1) + "\n", 0644, false);
}

void forget_run_state(const Directories& directories) {
  remove_file(paths_file(directories));
  remove_file(run_file(directories));
}

std::optional<Cluster> load_last_good(const Directories& directories, const std::string& node_name,
                                      std::string& why) {
  try {
    const auto text = read_large_file(list_file(directories));
    if (text) return parse_cluster(*text, list_file(directories), node_name);
    why = "there is no " + list_file(directories);
  } catch (const Failure& failure) {
    why = failure.what();
  }
  return std::nullopt;
}

void save_last_good(const Directories& directories, const Cluster& cluster) {
  const std::string text = print_cluster(cluster);
  if (read_large_file(list_file(directories)) == text) return;
  make_directories(directories.state);
  replace_file(AT_FDCWD, list_file(directories), text);
}

void forget_last_good(const Directories& directories) { remove_file(list_file(directories)); }

void publish_mtu(const Directories& directories, std::uint32_t mtu) {
  publish(directories, mtu_file(directories), mtu == 0 ? "" : std::to_string(mtu) + "\n");
}

void publish_reserved(const Directories& directories, const Node& self) {
  std::string lines;
  for (const auto& address : {tunnel_address(self), tunnel_address_v6(self)})
    if (address) lines += address->to_string() + "\n";
  publish(directories, reserved_file(directories), lines);
}

}  // namespace onlink::node
