// SPDX-License-Identifier: Apache-2.0
#include "netlink/ruleset.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace onlink::netlink {
namespace {

struct Set {
  const char* name;
  const char* type;
  std::vector<IpPrefix> elements;
};

std::vector<IpPrefix> of_family(const std::vector<IpPrefix>& prefixes, bool v4) {
  std::vector<IpPrefix> chosen;
  std::copy_if(prefixes.begin(), prefixes.end(), std::back_inserter(chosen),
               [&](const IpPrefix& prefix) { return prefix.address.is_v4() == v4; });
  return disjoint(std::move(chosen));
}

std::vector<Set> sets_of(const Ruleset& ruleset, bool with_elements) {
  std::vector<Set> sets;
  const auto chosen = [&](const std::vector<IpPrefix>& prefixes, bool v4) {
    return with_elements ? of_family(prefixes, v4) : std::vector<IpPrefix>();
  };
  if (!ruleset.masqueraded.empty()) {
    // Multicast goes to whoever listens; it is never masqueraded.
    std::vector<IpPrefix> inside = ruleset.inside;
    inside.push_back(*IpPrefix::parse("224.0.0.0/4"));
    inside.push_back(*IpPrefix::parse("ff00::/8"));
    sets.push_back({"masqueraded_v4", "ipv4_addr", chosen(ruleset.masqueraded, true)});
    sets.push_back({"masqueraded_v6", "ipv6_addr", chosen(ruleset.masqueraded, false)});
    sets.push_back({"inside_v4", "ipv4_addr", chosen(inside, true)});
    sets.push_back({"inside_v6", "ipv6_addr", chosen(inside, false)});
  }
  if (ruleset.filter_tunnel)
    sets.push_back({"tunnel_sources", "ipv4_addr", chosen(ruleset.tunnel_sources, true)});
  return sets;
}

std::string print_list(const std::vector<IpPrefix>& prefixes) {
  std::string text;
  for (const IpPrefix& prefix : prefixes) {
    if (!text.empty()) text += ", ";
    text += prefix.is_host() ? prefix.address.to_string() : prefix.to_string();
  }
  return text;
}

std::string print_set(const Set& set) {
  return fmt::format(
      "  set {} {{ type {}; flags interval;{} }}\n", set.name, set.type,
      !set.elements.empty() ? fmt::format(" elements = {{ {} }}", print_list(set.elements)) : "");
}

std::string print_nat(const Ruleset& ruleset) {
  std::string rules;
  if (!ruleset.masqueraded.empty())
    rules +=
        "    ip saddr @masqueraded_v4 ip daddr != @inside_v4 masquerade fully-random\n"
        "    ip6 saddr @masqueraded_v6 ip6 daddr != @inside_v6 masquerade fully-random\n";
  // A program of the host that took its source address before the way led into the tunnel (through a service
  // address, for example) would get no answer: the other end answers to where that address lives.
  if (ruleset.tunnel_address)
    rules += fmt::format("    oifname \"{}\" ip saddr != {} fib saddr type local masquerade fully-random\n",
                         ruleset.tunnel, ruleset.tunnel_address->to_string());
  if (rules.empty()) return "";
  return "  chain leaving {\n    type nat hook postrouting priority srcnat; policy accept;\n" + rules +
         "  }\n";
}

std::string print_filters(const Ruleset& ruleset) {
  std::string text;
  if (ruleset.filter_tunnel)
    text +=
        "  counter foreign_tunnel { }\n"
        "  chain tunnel {\n    type filter hook input priority filter; policy accept;\n"
        "    ip protocol 4 ip saddr != @tunnel_sources counter name \"foreign_tunnel\" drop\n  }\n";
  if (!ruleset.filter_pods) return text;
  // Link-local IPv6 never leaves the pod's own link, and neighbour discovery and duplicate detection (::)
  // need it.
  text += fmt::format(
      "  counter tunnel_from_pod {{ }}\n  counter forged_source {{ }}\n"
      "  chain pods {{\n    type filter hook prerouting priority raw; policy accept;\n"
      "    iifname != \"{}*\" return\n"
      "    meta l4proto 4 counter name \"tunnel_from_pod\" drop\n"
      "    ip6 saddr {{ ::, fe80::/10 }} return\n"
      "    fib saddr . iif oif missing counter name \"forged_source\" drop\n  }}\n",
      ruleset.pod_interfaces);
  return text;
}

std::string print_block(const Ruleset& ruleset, bool with_elements) {
  std::string text = fmt::format("table inet {} {{\n", ruleset.table);
  for (const Set& set : sets_of(ruleset, with_elements)) text += print_set(set);
  return text + print_filters(ruleset) + print_nat(ruleset) + "}\n";
}

}  // namespace

Ruleset masquerade_ruleset(const std::string& network, std::vector<IpPrefix> subnets) {
  Ruleset ruleset;
  ruleset.table = "onlink-" + network;
  ruleset.inside = subnets;
  ruleset.masqueraded = std::move(subnets);
  return ruleset;
}

std::string print_table(const Ruleset& ruleset) {
  return print_removal(ruleset.table) + print_block(ruleset, true);
}

std::string print_structure(const Ruleset& ruleset) { return print_block(ruleset, false); }

std::map<std::string, std::vector<AddressRange>> elements_of(const Ruleset& ruleset) {
  std::map<std::string, std::vector<AddressRange>> elements;
  for (const Set& set : sets_of(ruleset, true))
    std::transform(set.elements.begin(), set.elements.end(), std::back_inserter(elements[set.name]),
                   AddressRange::of);
  return elements;
}

// What goes comes first: nftables refuses overlaps.
std::string print_change(const std::string& table, const std::string& set,
                         const std::vector<AddressRange>& remove, const std::vector<AddressRange>& add) {
  std::string text;
  const auto print = [&](const char* verb, const std::vector<AddressRange>& ranges) {
    if (ranges.empty()) return;
    std::string list;
    for (const AddressRange& range : ranges) list += (list.empty() ? "" : ", ") + range.to_string();
    text += fmt::format("{} element inet {} {} {{ {} }}\n", verb, table, set, list);
  };
  print("delete", remove);
  print("add", add);
  return text;
}

// Made first, so that removing it is no error where it is not there.
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

}  // namespace onlink::netlink
