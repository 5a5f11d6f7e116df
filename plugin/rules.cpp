// SPDX-License-Identifier: Apache-2.0
#include "plugin/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/lock.h"
#include "netlink/link.h"
#include "netlink/netns.h"
#include "nft/request.h"
#include "nft/table.h"
#include "nft/transaction.h"
#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

using nft::AddressRange;
using nft::Ruleset;
using nft::TableChange;
using Ranges = std::vector<AddressRange>;
using Chains = std::vector<nft::Chain>;

// What the kernel has of nftables; nothing where it has none.
struct Found {
  std::optional<netlink::Socket> socket;
  Chains chains;
};

Found look() try {
  Found found{netlink::Socket::open(NETLINK_NETFILTER), {}};
  found.chains = nft::list_chains(*found.socket);
  return found;
} catch (const Failure& failure) {
  if (nft::is_without_nftables(failure)) return {};
  throw;
}

// By the namespace's own file: networks with other folders change the same tables.
netlink::Netns lock(const netlink::Socket& host, std::chrono::milliseconds wait = longest_wait) {
  netlink::Netns netns = host.netns();
  lock_exclusively(netns.fd(), "the nftables tables of pods", wait);
  return netns;
}

bool has_table(const Chains& chains, const Ruleset& ruleset) {
  return std::any_of(chains.begin(), chains.end(),
                     [&](const nft::Chain& chain) { return chain.table == ruleset.table; });
}

// The addresses of both, as disjoint ranges.
Ranges merged(Ranges ranges, const Ranges& others) {
  ranges.insert(ranges.end(), others.begin(), others.end());
  std::sort(ranges.begin(), ranges.end());
  Ranges result;
  for (const AddressRange& range : ranges)
    if (!result.empty() && range.first <= result.back().last)
      result.back().last = std::max(result.back().last, range.last);
    else
      result.push_back(range);
  return result;
}

// What makes the table complete. A table that must be replaced keeps its elements.
TableChange completion(Found& found, const Ruleset& ruleset) {
  if (!has_table(found.chains, ruleset)) return {TableChange::Whole::create};
  const auto wanted = nft::elements_of(ruleset);
  std::map<std::string, Ranges> there;
  bool is_whole = nft::has_all_rules(found.chains, ruleset) && nft::is_awake(*found.socket, ruleset.table);
  for (const auto& [set, ranges] : wanted) {
    const auto elements = nft::list_set(*found.socket, ruleset.table, set);
    is_whole = is_whole && elements;
    there[set] = elements.value_or(Ranges{});
  }
  TableChange change{is_whole ? TableChange::Whole::keep : TableChange::Whole::replace};
  for (const auto& [set, ranges] : wanted)
    change.turn(set, is_whole ? there[set] : ranges, merged(there[set], ranges));
  return change;
}

void ensure(Found& found, const Ruleset& ruleset) {
  TableChange change = completion(found, ruleset);
  if (change.empty()) return;
  auto refusal = nft::carry_out(ruleset, change);
  if (refusal && change.whole == TableChange::Whole::create && refusal->already_exists()) {
    Found again = look();
    change = completion(again, ruleset);
    if (change.whole == TableChange::Whole::create)
      change.whole = TableChange::Whole::replace;  // it has no chain
    refusal = nft::carry_out(ruleset, change);
  }
  if (refusal) throw std::move(*refusal);
}

netlink::Socket remove(const Ruleset& ruleset) {
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  if (auto refusal = nft::carry_out(socket, ruleset, {TableChange::Whole::remove})) throw std::move(*refusal);
  return socket;
}

bool covers(const Ranges& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) {
    return range.first <= address && address <= range.last;
  });
}

// In words; empty where the table is in force.
std::string problem_of(const Ruleset& ruleset, Found& found) {
  const bool is_whole = nft::has_all_rules(found.chains, ruleset);
  if (is_whole && nft::is_awake(*found.socket, ruleset.table)) return {};
  return fmt::format("host: nftables table inet {} is {}", ruleset.table,
                     is_whole ? "dormant" : "missing or incomplete");
}

// These, and the rules of prefixes that a configuration had before. How many there are says nothing: another version of
// onlink has made them.
std::vector<Ruleset> with_other_prefixes(const Rules& rules, const Chains& chains) {
  std::vector<Ruleset> all{rules.sources, rules.masquerade};
  for (const nft::Chain& chain : chains) {
    if (!chain.table.starts_with(sources_table) || chain.name != nft::pods_chain ||
        chain.table == rules.sources.table)
      continue;
    Ruleset& other = all.emplace_back(rules.sources);
    other.table = chain.table;
    other.pod_interfaces = chain.table.substr(sources_table.size());
  }
  return all;
}

// By its form, or by its alias where it was renamed.
bool is_host_end(const netlink::Link& link, const std::string& prefix) {
  return link.kind == "veth" && (link.name.size() == host_interface_name(prefix, {}, {}).size() ||
                                 link.alias.starts_with(netlink::host_end_alias));
}

}  // namespace

std::vector<Ruleset> Rules::wanted() const {
  std::vector<Ruleset> all{sources};
  if (masquerades) all.push_back(masquerade);
  return all;
}

std::string problem_of_prefix(const Rules& rules, netlink::Socket& host) {
  const std::string& prefix = rules.sources.pod_interfaces;
  for (const netlink::Link& link : netlink::list_links(host))
    if (link.name.starts_with(prefix) && !is_host_end(link, prefix))
      return fmt::format(
          "hostInterfacePrefix: \"{}\" begins the name of {} too, which leads to no pod: "
          "its packets might be dropped as forged",
          prefix, link.name);
  return {};
}

bool has_table(const Ruleset& ruleset) { return has_table(look().chains, ruleset); }

bool ensure_rules(const Rules& rules, netlink::Socket& host,
                  const std::function<void(const std::string&)>& note) {
  const auto without_sources = [&](const Failure& failure) {
    note(fmt::format("{}, ignoring: {}", failure.what(), without_source_rules));
  };
  try {
    const netlink::Netns held = lock(host);
    Found found = look();
    const std::string problem = has_table(found.chains, rules.sources) ? "" : problem_of_prefix(rules, host);
    if (!problem.empty()) throw Failure(FailureKind::configuration, problem);
    if (rules.masquerades) with_context("ipMasq", [&] { ensure(found, rules.masquerade); });
    try {
      ensure(found, rules.sources);
    } catch (const Failure& failure) {
      without_sources(failure);
    }
    return !rules.masquerades && has_table(found.chains, rules.masquerade);
  } catch (const Failure& failure) {
    if (rules.masquerades || failure.kind() == FailureKind::configuration) throw;
    without_sources(failure);
    return false;
  }
}

void remove_masquerade(const Rules& rules, netlink::Socket& host) {
  const netlink::Netns held = lock(host);
  (void)remove(rules.masquerade);
}

Missing missing_rules(const Rules& rules, const std::vector<IpAddress>& addresses) {
  Found found = look();
  Missing missing{problem_of(rules.sources, found), {}};
  if (!rules.masquerades) return missing;
  if (auto problem = problem_of(rules.masquerade, found); !problem.empty()) {
    missing.masquerade.push_back(problem + ": ipMasq does nothing");
    return missing;
  }
  const std::string& table = rules.masquerade.table;
  const auto list_set = [&](const std::string& set) {
    return nft::list_set(*found.socket, table, set).value_or(Ranges{});
  };
  for (const auto& [set, wanted] : nft::elements_of(rules.masquerade)) {
    const Ranges there = list_set(set);
    if (set.starts_with("inside_") && merged(there, wanted) != merged(there, {}))
      missing.masquerade.push_back(fmt::format(
          "host: set {} of nftables table inet {} lacks a part of the pods' subnets: what goes to them is "
          "masqueraded",
          set, table));
  }
  for (const IpAddress& address : addresses) {
    const std::string set = address.is_v4() ? "masqueraded_v4" : "masqueraded_v6";
    if (!covers(list_set(set), address))
      missing.masquerade.push_back(
          fmt::format("host: set {} of nftables table inet {} lacks {}: it is not masqueraded", set, table,
                      address.to_string()));
  }
  return missing;
}

std::optional<Failure> try_rules(const Ruleset& ruleset, netlink::Socket& host) try {
  const netlink::Netns held = lock(host);
  return nft::try_out(ruleset, {TableChange::Whole::replace});
} catch (const Failure& failure) {
  return failure;
}

bool may_have_unused(const Rules& rules, const AllNeeded& all_needed) {
  return !all_needed({&rules.sources, &rules.masquerade});
}

std::vector<netlink::Socket> remove_unused_rules(const Rules& rules, netlink::Socket& host,
                                                 const AllNeeded& all_needed,
                                                 std::chrono::milliseconds wait) {
  const netlink::Netns held = lock(host, wait);
  const Chains chains = look().chains;
  std::vector<netlink::Socket> sockets;
  for (const Ruleset& ruleset : with_other_prefixes(rules, chains))
    if (has_table(chains, ruleset) && !all_needed({&ruleset})) sockets.push_back(remove(ruleset));
  return sockets;
}

}  // namespace onlink::plugin
