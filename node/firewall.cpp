// SPDX-License-Identifier: Apache-2.0
#include "node/firewall.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>

#include <algorithm>

#include "base/failure.h"
#include "base/json_reader.h"
#include "netlink/nftables.h"
#include "node/legacy_iptables.h"

namespace onlink::node {
namespace {

using netlink::Ruleset;
using nlohmann::json;

// FNV-1a: the fingerprint only has to be the same in every build.
std::string fingerprint(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

std::map<std::string, std::string> fingerprints(const std::map<std::string, std::string>& texts) {
  std::map<std::string, std::string> prints;
  for (const auto& [name, text] : texts) prints[name] = fingerprint(text);
  return prints;
}

// What makes the rules of what is there, or of nothing.
std::string commands_for(const Ruleset& wanted, const Loaded& present) {
  if (wanted.empty()) return netlink::has_nft_table(wanted.table) ? netlink::print_removal(wanted.table) : "";
  if (fingerprint(netlink::print_structure(wanted)) != present.structure) return netlink::print_table(wanted);
  std::string commands;
  for (const auto& [set, text] : netlink::print_elements(wanted)) {
    const auto loaded = present.elements.find(set);
    if (loaded == present.elements.end() || loaded->second != fingerprint(text)) commands += text;
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

std::string Firewall::listing(const std::string& table) {
  const Output output = run("list table inet " + table, NFT_CTX_OUTPUT_STATELESS);
  return output.ok ? output.text : "";
}

// With thousands of nodes listing the table is most of what a pass costs.
Loaded Firewall::still_there(const std::string& table, Loaded loaded) {
  const std::string generation = netlink::ruleset_generation();
  if (!generation.empty() && generation == loaded.generation) return loaded;
  const std::string current = listing(table);
  if (current.empty() || fingerprint(current) != loaded.listing) return {};
  loaded.generation = generation;
  return loaded;
}

std::string Firewall::difference(const Ruleset& wanted, const Loaded& loaded) {
  return commands_for(wanted, still_there(wanted.table, loaded));
}

Firewall::Result Firewall::load(const Ruleset& wanted, const Loaded& loaded,
                                std::vector<std::string>& problems) {
  const Ruleset possible = supported(wanted);
  const Loaded present = still_there(wanted.table, loaded);
  const std::string commands = commands_for(possible, present);
  if (!commands.empty()) {
    const Output output = run(commands);
    if (!output.ok && refusals_.empty() && !find_refused(wanted).empty())
      return load(wanted, loaded, problems);
    if (!output.ok) problems.push_back("nftables: " + first_line(output.error));
    if (!output.ok) return {};
  }
  problems.insert(problems.end(), refusals_.begin(), refusals_.end());
  if (possible.empty()) return {{}, commands};
  if (commands.empty()) return {present, commands};
  Loaded now{fingerprint(netlink::print_structure(possible)), fingerprints(netlink::print_elements(possible)),
             "", netlink::ruleset_generation()};  // asked for first: what comes after it is looked at again
  now.listing = fingerprint(listing(possible.table));
  return {std::move(now), commands};
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
  const auto refused = [&](Ruleset part, const char* consequence) {
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
  if (listing(table).empty()) return;
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
