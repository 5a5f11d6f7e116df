// SPDX-License-Identifier: Apache-2.0
#include "nft/ruleset.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <map>
#include <utility>

namespace onlink::nft {
namespace {

std::vector<AddressRange> ranges_of(const std::vector<IpPrefix>& prefixes, IpFamily family) {
  std::vector<IpPrefix> chosen;
  std::copy_if(prefixes.begin(), prefixes.end(), std::back_inserter(chosen),
               [&](const IpPrefix& prefix) { return prefix.family() == family; });
  chosen = disjoint(std::move(chosen));
  std::vector<AddressRange> ranges;
  std::transform(chosen.begin(), chosen.end(), std::back_inserter(ranges), AddressRange::of);
  return ranges;
}

std::vector<AddressRange> pairs_of(const std::vector<Ruleset::Inner>& all, IpFamily inner) {
  std::vector<Ruleset::Inner> chosen;
  for (const auto& [sender, sources] : all)
    if (sources.family() == inner) chosen.push_back({sender, sources.network()});
  std::sort(chosen.begin(), chosen.end());
  std::vector<AddressRange> pairs;
  const Ruleset::Inner* kept = nullptr;
  for (const Ruleset::Inner& each : chosen) {
    if (kept != nullptr && kept->sender == each.sender && kept->sources.overlaps(each.sources)) continue;
    kept = &each;
    pairs.push_back(AddressRange::of(each.sources));
    pairs.back().sender = each.sender;
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

constexpr std::pair<const char*, IpFamily> vxlan_inner_sets[] = {{"vxlan_inner_v4", IpFamily::v4},
                                                                 {"vxlan_inner_v6", IpFamily::v6}};

std::vector<NftSet> sets_of(const Ruleset& ruleset, bool with_elements) {
  std::vector<NftSet> sets;
  const auto add = [&](const char* name, IpFamily family, const std::vector<IpPrefix>& prefixes) {
    sets.push_back({name, family, {}});
    if (with_elements) sets.back().elements = ranges_of(prefixes, family);
  };
  const auto add_pairs = [&](const char* name, IpFamily outer, IpFamily inner,
                             const std::vector<Ruleset::Inner>& pairs, std::string field) {
    sets.push_back({name, outer, {}, NftSet::Kind::pairs, inner, std::move(field)});
    if (with_elements) sets.back().elements = pairs_of(pairs, inner);
  };
  if (!ruleset.masqueraded.empty()) {
    // Multicast goes to any listener; it is never masqueraded.
    std::vector<IpPrefix> inside = ruleset.inside;
    inside.push_back(*IpPrefix::parse("224.0.0.0/4"));
    inside.push_back(*IpPrefix::parse("ff00::/8"));
    add("masqueraded_v4", IpFamily::v4, ruleset.masqueraded);
    add("masqueraded_v6", IpFamily::v6, ruleset.masqueraded);
    add("inside_v4", IpFamily::v4, inside);
    add("inside_v6", IpFamily::v6, inside);
  }
  if (ruleset.filter_tunnel) {
    add("tunnel_sources", IpFamily::v4, ruleset.tunnel_sources);
    add("tunnel_trusted", IpFamily::v4, ruleset.tunnel_trusted);
    add_pairs("tunnel_inner", IpFamily::v4, IpFamily::v4, ruleset.tunnel_inner, "@th,96,32");
  }
  if (ruleset.filter_tunnel && ruleset.vxlan) {
    const IpFamily outer = ruleset.vxlan->outer;
    add("vxlan_sources", outer, ruleset.vxlan_sources);
    for (const auto& [name, inner] : vxlan_inner_sets)
      add_pairs(name, outer, inner, ruleset.vxlan_inner, vxlan_source_field(inner));
  }
  return sets;
}

std::string print_list(const std::vector<AddressRange>& ranges) {
  std::string text;
  for (const AddressRange& range : ranges) text += (text.empty() ? "" : ", ") + range.to_string();
  return text;
}

std::string print_elements(const std::string& list) {
  return list.empty() ? "" : fmt::format(" elements = {{ {} }}", list);
}

std::string print_set(const NftSet& set, bool with_elements) {
  const char* const header = set.family == IpFamily::v4 ? "ip" : "ip6";
  const std::string type = set.kind == NftSet::Kind::pairs
                               ? fmt::format("typeof {} saddr . {}", header, set.inner_field)
                               : fmt::format("type {}_addr", set.family == IpFamily::v4 ? "ipv4" : "ipv6");
  return fmt::format("  set {} {{ {}; flags interval;{} }}\n", set.name, type,
                     with_elements ? print_elements(print_list(set.elements)) : "");
}

std::string print_count(const Count& count) {
  return fmt::format("packets {} bytes {}", count.packets, count.bytes);
}

std::string print_senders(const NftSet& set, const Counts& counts) {
  std::string list;
  for (const auto& [sender, count] : counts.senders)
    list += fmt::format("{}{} counter {}", list.empty() ? "" : ", ", sender.to_string(), print_count(count));
  return fmt::format("  set {} {{ type ipv4_addr; size {}; flags dynamic;{} }}\n", set.name, most_senders,
                     print_elements(list));
}

std::string print_interfaces(const NftSet& set) {
  return fmt::format("  set {} {{ type iface_index; size {}; flags dynamic,timeout; timeout {}m; }}\n",
                     set.name, most_interfaces, solicitations_minutes);
}

std::string print_chain(const NftChain& chain) {
  std::string text = fmt::format("  chain {} {{\n    type {} hook {} priority {}; policy accept;\n",
                                 chain.name, chain.type, chain.hook, chain.priority);
  for (const Rule& rule : chain.rules) text += "    " + print(rule) + "\n";
  return text + "  }\n";
}

void add_nat(const Ruleset& ruleset, NftTable& table) {
  std::vector<Rule> rules;
  if (!ruleset.masqueraded.empty()) {
    rules.push_back({source_in("masqueraded_v4", IpFamily::v4), destination_not_in("inside_v4", IpFamily::v4),
                     masquerade()});
    rules.push_back({source_in("masqueraded_v6", IpFamily::v6), destination_not_in("inside_v6", IpFamily::v6),
                     masquerade()});
  }
  // A program on the host whose source address was chosen before the route led into the tunnel (through a
  // service address, for example) would get no answer: the other end answers to where that address lives.
  for (const Ruleset::Exit& exit : ruleset.exits)
    rules.push_back(
        {to_interface(exit.device), source_is_not(exit.address), source_is_local(), masquerade()});
  if (rules.empty()) return;
  table.chains.push_back(
      {"leaving", "nat", "postrouting", "srcnat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, std::move(rules)});
}

void add_pods(const Ruleset& ruleset, NftTable& table) {
  std::vector<Rule> rules{{not_from_interfaces(ruleset.pod_interfaces), go_back()}};
  if (ruleset.filter_pods) {
    table.counters.emplace_back("tunnel_from_pod");
    rules.push_back({protocol_is_ipip(), count_in("tunnel_from_pod"), drop()});
    // By the port alone: the first fragment of a datagram need not contain more.
    if (ruleset.vxlan)
      rules.push_back({to_udp_port(ruleset.vxlan->port), count_in("tunnel_from_pod"), drop()});
  }
  // What is bound to 127.0.0.1 is for the host's own programs, but route_localnet lets others reach it: portmap turns it on
  // for each host end with a host port, kube-proxy for all.
  rules.push_back({destination_within(*IpPrefix::parse("127.0.0.0/8")), drop()});
  // From each new link-local source a solicitation makes a neighbour, and there is room for 1,024, over all namespaces
  // (ndisc_recv_ns, ndisc_recv_rs; neigh_alloc). A pod with its permanent neighbour asks for nothing, one without, like a
  // virtual machine, now and then. Nobody advertises routers to pods.
  table.sets.push_back({solicitations, IpFamily::v6, {}, NftSet::Kind::interfaces});
  rules.push_back({is_router_solicitation(), drop()});
  rules.push_back({source_within(*IpPrefix::parse("fe80::/10")), is_neighbour_solicitation(),
                   too_many_of_interface(solicitations), drop()});
  // Link-local IPv6 never leaves the pod's own link, and neighbour discovery and duplicate detection (::)
  // need it.
  rules.push_back({source_within(*IpPrefix::parse("::/128")), go_back()});
  rules.push_back({source_within(*IpPrefix::parse("fe80::/10")), go_back()});
  table.counters.emplace_back("forged_source");
  rules.push_back({no_way_back_through_its_interface(), count_in("forged_source"), drop()});
  // check_sources alone comes after the chains that count what they drop.
  const bool is_first = ruleset.filter_pods;
  table.chains.push_back({pods_chain, "filter", "prerouting", is_first ? "raw" : "raw + 1",
                          NF_INET_PRE_ROUTING, is_first ? NF_IP_PRI_RAW : NF_IP_PRI_RAW + 1,
                          std::move(rules)});
}

// Anything else inside is dropped, ARP and VLAN-tagged frames included: nobody needs it. Only what is known to be of
// another network is let through before: where nothing tracks connections, IPv6 fragments arrive as such, and the first
// may end before the VNI.
void add_vxlan(const Ruleset::Vxlan& vxlan, std::vector<Rule>& rules) {
  const auto packet = [&](std::initializer_list<Word> more) {
    Rule rule{to_udp_port(vxlan.port), of_family(vxlan.outer)};
    rule.insert(rule.end(), more);
    rules.push_back(std::move(rule));
  };
  packet({vni_is_not(vxlan.vni), go_back()});
  packet({source_not_in("vxlan_sources", vxlan.outer), count_in("foreign_tunnel"), drop()});
  for (const auto& [name, inner] : vxlan_inner_sets)
    packet({vxlan_carries(inner), source_and_vxlan_source_in(name, vxlan.outer, inner), go_back()});
  if (vxlan.outer == IpFamily::v4) packet({count_source_in(forged_by)});
  packet({count_in("forged_inner"), drop()});
}

void add_filters(const Ruleset& ruleset, NftTable& table) {
  if (ruleset.filter_tunnel) {
    table.counters.emplace_back("foreign_tunnel");
    table.counters.emplace_back("forged_inner");
    table.chains.push_back({"arriving",
                            "filter",
                            "input",
                            "filter",
                            NF_INET_LOCAL_IN,
                            NF_IP_PRI_FILTER,
                            {{ipv4_protocol_is_ipip(), source_not_in("tunnel_sources", IpFamily::v4),
                              count_in("foreign_tunnel"), drop()},
                             {ipv4_protocol_is_ipip(), source_in("tunnel_trusted", IpFamily::v4), go_back()},
                             {ipv4_protocol_is_ipip(), source_and_inner_source_in("tunnel_inner"), go_back()},
                             {ipv4_protocol_is_ipip(), count_source_in(forged_by)},
                             {ipv4_protocol_is_ipip(), count_in("forged_inner"), drop()}}});
    if (ruleset.vxlan) add_vxlan(*ruleset.vxlan, table.chains.back().rules);
  }
  if (ruleset.filter_pods || ruleset.check_sources) add_pods(ruleset, table);
}

std::string print_block(const Ruleset& ruleset, bool with_elements, const Counts& counts = {}) {
  const NftTable table = table_of(ruleset, with_elements);
  std::string text = fmt::format("table inet {} {{\n", table.name);
  for (const NftSet& set : table.sets)
    text += set.kind == NftSet::Kind::senders      ? print_senders(set, counts)
            : set.kind == NftSet::Kind::interfaces ? print_interfaces(set)
                                                   : print_set(set, with_elements);
  for (const std::string& counter : table.counters) {
    const auto before = counts.counters.find(counter);
    text += fmt::format("  counter {} {{ {} }}\n", counter,
                        before == counts.counters.end() ? "" : print_count(before->second));
  }
  for (const NftChain& chain : table.chains) text += print_chain(chain);
  return text + "}\n";
}

}  // namespace

NftTable table_of(const Ruleset& ruleset, bool with_elements) {
  NftTable table{ruleset.table, sets_of(ruleset, with_elements), {}, {}};
  if (ruleset.filter_tunnel) table.sets.push_back({forged_by, IpFamily::v4, {}, NftSet::Kind::senders});
  add_filters(ruleset, table);
  add_nat(ruleset, table);
  return table;
}

bool has_all_rules(const std::vector<Chain>& chains, const Ruleset& ruleset) {
  const auto wanted = table_of(ruleset, false).chains;
  return std::all_of(wanted.begin(), wanted.end(), [&](const NftChain& chain) {
    return std::any_of(chains.begin(), chains.end(), [&](const Chain& there) {
      return there.table == ruleset.table && there.name == chain.name && there.rules == chain.rules.size();
    });
  });
}

void TableChange::turn(const std::string& set, const std::vector<AddressRange>& from,
                       const std::vector<AddressRange>& to) {
  Elements change{set, {}, {}};
  std::set_difference(from.begin(), from.end(), to.begin(), to.end(), std::back_inserter(change.remove));
  std::set_difference(to.begin(), to.end(), from.begin(), from.end(), std::back_inserter(change.add));
  if (!change.remove.empty() || !change.add.empty()) elements.push_back(std::move(change));
}

std::string print_table(const Ruleset& ruleset, const Counts& counts) {
  return print_removal(ruleset.table) + print_block(ruleset, true, counts);
}

std::string print_structure(const Ruleset& ruleset) { return print_block(ruleset, false); }

ElementsBySet elements_of(const Ruleset& ruleset) {
  ElementsBySet elements;
  for (NftSet& set : sets_of(ruleset, true)) elements[set.name] = std::move(set.elements);
  return elements;
}

std::string print_change(const std::string& table, const std::string& set,
                         const std::vector<AddressRange>& remove, const std::vector<AddressRange>& add) {
  std::string text;
  const auto print = [&](const char* verb, const std::vector<AddressRange>& ranges) {
    if (ranges.empty()) return;
    text += fmt::format("{} element inet {} {} {{ {} }}\n", verb, table, set, print_list(ranges));
  };
  print("delete", remove);
  print("add", add);
  return text;
}

std::string print(const Ruleset& ruleset, const TableChange& change) {
  if (change.whole == TableChange::Whole::remove) return print_removal(ruleset.table);
  if (change.whole == TableChange::Whole::replace) return print_table(ruleset, change.counts);
  if (change.whole == TableChange::Whole::create)
    return fmt::format("create table inet {}\n", ruleset.table) + print_block(ruleset, true, change.counts);
  std::string text;
  for (const auto& [set, remove, add] : change.elements)
    text += print_change(ruleset.table, set, remove, add);
  return text;
}

// Created first, so that removing a missing table is no error.
std::string print_removal(const std::string& table) {
  return fmt::format("table inet {0} {{ }}\ndelete table inet {0}\n", table);
}

std::vector<IpPrefix> disjoint(std::vector<IpPrefix> prefixes) {
  for (IpPrefix& prefix : prefixes) prefix = prefix.network();
  std::sort(prefixes.begin(), prefixes.end());  // a prefix comes right before those that it contains
  std::vector<IpPrefix> kept;
  for (const IpPrefix& prefix : prefixes)
    if (kept.empty() || !kept.back().overlaps(prefix)) kept.push_back(prefix);
  return kept;
}

}  // namespace onlink::nft
