// SPDX-License-Identifier: Apache-2.0
#include "node/firewall.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/failure.h"
#include "base/json_reader.h"
#include "netlink/nft_table.h"
#include "netlink/nftables.h"
#include "node/legacy_iptables.h"

namespace onlink::node {
namespace {

using netlink::AddressRange;
using netlink::Ruleset;
using Elements = std::map<std::string, std::vector<AddressRange>>;
using nlohmann::json;

// FNV-1a: the fingerprint only has to be the same in every build.
std::string fingerprint(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

Loaded fingerprints_of(const Ruleset& ruleset, const Elements& sets) {
  std::string elements;
  const auto append = [&](const IpAddress& address) {
    elements.append(address.bytes().begin(), address.bytes().end());
  };
  for (const auto& [set, ranges] : sets) {
    elements += set;
    for (const AddressRange& range : ranges) {
      append(range.first);
      append(range.last);
    }
  }
  return {fingerprint(netlink::print_structure(ruleset)), fingerprint(elements), "", ""};
}

std::vector<AddressRange> without(const std::vector<AddressRange>& ranges,
                                  const std::vector<AddressRange>& others) {
  std::vector<AddressRange> rest;
  std::set_difference(ranges.begin(), ranges.end(), others.begin(), others.end(), std::back_inserter(rest));
  return rest;
}

// asked: the fingerprints of what is wanted. loaded: what is there, unless somebody has changed it.
std::string commands_for(const Ruleset& wanted, const Elements& sets, const Loaded& asked,
                         const Loaded& loaded) {
  if (wanted.empty()) return netlink::has_nft_table(wanted.table) ? netlink::print_removal(wanted.table) : "";
  if (asked.structure != loaded.structure) return netlink::print_table(wanted);
  const bool known = Firewall::untouched(loaded);
  if (known && asked.elements == loaded.elements) return "";
  if (!known && fingerprint(netlink::rules_of_table(wanted.table)) != loaded.listing)
    return netlink::print_table(wanted);
  std::string commands;
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  for (const auto& [set, ranges] : sets) {
    const auto present = netlink::list_set(socket, wanted.table, set);
    if (!present) return netlink::print_table(wanted);
    commands +=
        netlink::print_change(wanted.table, set, without(*present, ranges), without(ranges, *present));
  }
  return commands;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<json> listed(const std::string& text, const char* kind) {
  std::vector<json> items;
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("nftables")) return items;
  for (const json& item : document["nftables"])
    if (item.contains(kind)) items.push_back(item[kind]);
  return items;
}

std::string mending_by(const std::string& iptables, const std::string& pods) {
  return fmt::format("{0} -I FORWARD -i {1}+ -j ACCEPT && {0} -I FORWARD -o {1}+ -j ACCEPT", iptables, pods);
}

std::string mending(const std::string& family, const std::string& table, const std::string& chain,
                    const std::string& pods) {
  // What iptables made is to be changed by iptables.
  if (table == "filter" && chain == "FORWARD" && (family == "ip" || family == "ip6"))
    return mending_by(family == "ip" ? "iptables" : "ip6tables", pods);
  return fmt::format(
      "nft 'insert rule {0} {1} {2} iifname \"{3}*\" accept; insert rule {0} {1} {2} oifname \"{3}*\" "
      "accept'",
      family, table, chain, pods);
}

std::string obstacle(const std::string& chain, const std::string& command) {
  return fmt::format(
      "chain {} drops what it does not know, packets of pods among them; this lets them through: {}", chain,
      command);
}

// What was just made is looked at like anything else, so that nobody's change meanwhile is taken for ours.
std::string generation_of(const Ruleset& made, const Elements& sets, Loaded now) {
  now.generation.clear();
  std::string generation = netlink::ruleset_generation();
  return commands_for(made, sets, now, now).empty() ? generation : "";
}

}  // namespace

Ruleset wanted_ruleset(const Cluster& cluster, const Desired& desired) {
  Ruleset ruleset;
  ruleset.pod_interfaces = cluster.pod_interface_prefix;
  if (cluster.masquerade) ruleset.masqueraded = cluster.self.pod_cidrs;
  if (!ruleset.masqueraded.empty()) {
    ruleset.inside = cluster.masquerade_exclude;
    const auto add = [&](const Node& node) {
      ruleset.inside.insert(ruleset.inside.end(), node.pod_cidrs.begin(), node.pod_cidrs.end());
    };
    add(cluster.self);
    std::for_each(cluster.peers.begin(), cluster.peers.end(), add);
  }
  if (cluster.masquerade && desired.tunnel) ruleset.tunnel_address = desired.tunnel->address;
  ruleset.filter_pods = ruleset.filter_tunnel = cluster.filter;
  if (!ruleset.filter_tunnel) return ruleset;
  ruleset.tunnel_sources = cluster.ipip_sources;
  for (const Node& peer : cluster.peers)
    if (may_tunnel(cluster, peer)) ruleset.tunnel_sources.push_back(IpPrefix::host(*peer.ipv4));
  return ruleset;
}

Ruleset with_current_peers(Ruleset ruleset, const std::vector<netlink::Route>& routes) {
  for (const netlink::Route& route : routes) {
    if (!route.gateway) continue;
    if (!ruleset.masqueraded.empty()) ruleset.inside.push_back(route.dst);
    if (ruleset.filter_tunnel && route.onlink)
      ruleset.tunnel_sources.push_back(IpPrefix::host(*route.gateway));
  }
  return ruleset;
}

Firewall::Firewall() : context_(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free) {
  if (!context_) throw Failure("libnftables did not start");
  nft_ctx_buffer_output(context_.get());
  nft_ctx_buffer_error(context_.get());
}
Firewall::~Firewall() = default;

Firewall::Output Firewall::run(const std::string& commands, unsigned flags) {
  nft_ctx_output_set_flags(context_.get(), flags);
  Output output;
  output.ok = nft_run_cmd_from_buffer(context_.get(), commands.c_str()) == 0;
  output.text = nft_ctx_get_output_buffer(context_.get());
  output.error = nft_ctx_get_error_buffer(context_.get());
  return output;
}

bool Firewall::untouched(const Loaded& loaded) {
  return !loaded.generation.empty() && loaded.generation == netlink::ruleset_generation();
}

std::string Firewall::difference(const Ruleset& wanted, const Loaded& loaded) {
  const Elements sets = netlink::elements_of(wanted);
  return commands_for(wanted, sets, fingerprints_of(wanted, sets), loaded);
}

Firewall::Result Firewall::load(const Ruleset& wanted, const Loaded& loaded,
                                std::vector<std::string>& problems) {
  const Ruleset possible = supported(wanted);
  const Elements sets = netlink::elements_of(possible);
  Loaded now = fingerprints_of(possible, sets);
  now.listing = loaded.listing;
  now.generation = netlink::ruleset_generation();  // asked for first: what comes after it is looked at again
  std::string commands = commands_for(possible, sets, now, loaded);
  if (!commands.empty()) {
    const std::string whole = netlink::print_removal(possible.table);
    Output output = run(commands);
    if (!output.ok && !commands.starts_with(whole)) output = run(commands = netlink::print_table(possible));
    if (!output.ok && refusals_.empty() && !find_refused(wanted).empty())
      return load(wanted, loaded, problems);
    if (!output.ok) problems.push_back("nftables: " + first_line(output.error));
    if (!output.ok) return {};
    if (commands.starts_with(whole)) now.listing = fingerprint(netlink::rules_of_table(possible.table));
    now.generation = generation_of(possible, sets, now);
  }
  problems.insert(problems.end(), refusals_.begin(), refusals_.end());
  if (possible.empty()) return {{}, commands};
  return {std::move(now), std::move(commands)};
}

bool Firewall::accepted(const Ruleset& ruleset, std::string& error) {
  nft_ctx_set_dry_run(context_.get(), true);
  const Output output = run(netlink::print_table(ruleset));
  nft_ctx_set_dry_run(context_.get(), false);
  error = first_line(output.error);
  return output.ok;
}

Ruleset Firewall::supported(Ruleset ruleset) const {
  if (refused_nat_) {
    ruleset.masqueraded.clear();
    ruleset.tunnel_address.reset();
  }
  ruleset.filter_tunnel = ruleset.filter_tunnel && !refused_tunnel_;
  ruleset.filter_pods = ruleset.filter_pods && !refused_pods_;
  return ruleset;
}

const std::vector<std::string>& Firewall::find_refused(const Ruleset& wanted) {
  const auto refused = [&](const Ruleset& part, const char* consequence) {
    std::string error;
    if (part.empty() || accepted(part, error)) return false;
    refusals_.push_back(fmt::format("{}: the kernel refuses the rules: {}", consequence, error));
    return true;
  };
  Ruleset nat = wanted;
  nat.filter_pods = nat.filter_tunnel = false;
  refused_nat_ = refused(nat, "no masquerade");
  Ruleset tunnel;
  tunnel.table = wanted.table;
  tunnel.filter_tunnel = wanted.filter_tunnel;
  refused_tunnel_ = refused(tunnel, "IPIP is accepted from anyone");
  Ruleset pods;
  pods.table = wanted.table;
  pods.filter_pods = wanted.filter_pods;
  refused_pods_ = refused(pods, "pods may forge IPv6 sources and send IPIP");
  return refusals_;
}

void Firewall::remove(const std::string& table) {
  if (!netlink::has_nft_table(table)) return;
  const Output output = run(netlink::print_removal(table));
  if (!output.ok) throw Failure("remove nftables table inet " + table + ": " + first_line(output.error));
}

std::vector<std::string> Firewall::forward_obstacles(const std::string& pods) {
  std::vector<std::string> obstacles;
  for (const std::string& program : legacy_forward_drops(pods))
    obstacles.push_back(obstacle("FORWARD of " + program, mending_by(program, pods)));
  const Output chains = run("list chains", NFT_CTX_OUTPUT_JSON);
  if (!chains.ok) return obstacles;
  for (const json& chain : listed(chains.text, "chain")) {
    if (chain.value("hook", "") != "forward" || chain.value("policy", "") != "drop") continue;
    const std::string family = chain.value("family", ""), table = chain.value("table", ""),
                      name = chain.value("name", "");
    const Output rules =
        run(fmt::format("list chain {} {} {}", family, table, name), NFT_CTX_OUTPUT_STATELESS);
    // A rule that names the pods' interfaces: somebody has thought of them.
    if (rules.text.find("\"" + pods + "*\"") != std::string::npos) continue;
    obstacles.push_back(
        obstacle(fmt::format("{} of table {} {}", name, family, table), mending(family, table, name, pods)));
  }
  return obstacles;
}

std::vector<std::pair<std::string, std::uint64_t>> Firewall::counters(const std::string& table) {
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  const Output output = run("list counters table inet " + table, NFT_CTX_OUTPUT_JSON);
  if (!output.ok) return counts;
  for (const json& counter : listed(output.text, "counter"))
    counts.emplace_back(counter.value("name", ""), counter.value("packets", std::uint64_t{0}));
  return counts;
}

}  // namespace onlink::node
