// SPDX-License-Identifier: Apache-2.0
#include "plugin/masquerade.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "netlink/nftables.h"
#include "netlink/ruleset.h"
#include "plugin/process.h"

namespace onlink::plugin {
namespace {

std::string find_nft() {
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"})
    if (::access(path, X_OK) == 0) return path;
  throw Failure(FailureKind::configuration,
                "ipMasq: needs the program nft (package nftables), which this host has not");
}

void run_nft(const std::string& ruleset) {
  const Outcome outcome = run_program({find_nft(), "-f", "-"}, {}, ruleset);
  if (!outcome.succeeded()) throw outcome.failure().prepend("ipMasq: nft");
}

// Our own IPAM knows its subnets; of another one's we know the prefix that it gave with the address.
std::vector<IpPrefix> subnets_of(const NetConf& config, const cni::Result& lease) {
  std::vector<IpPrefix> subnets;
  if (!config.ipam)
    for (const auto& ip : lease.ips) subnets.push_back(ip.address.network());
  else
    for (const auto& set : config.ipam->range_sets)
      for (const auto& range : set.ranges) subnets.push_back(range.subnet);
  return subnets;
}

}  // namespace

void ensure_masquerade(const cni::Request& request, const NetConf& config, const cni::Result& lease) {
  if (!config.ip_masq) return;
  const auto ruleset = netlink::masquerade_ruleset(request.network, subnets_of(config, lease));
  if (!netlink::has_nft_table(ruleset.table)) run_nft(netlink::print_table(ruleset));
}

bool has_masquerade(const cni::Request& request) {
  return netlink::has_nft_table(netlink::masquerade_ruleset(request.network, {}).table);
}

void remove_masquerade(const cni::Request& request) {
  const std::string table = netlink::masquerade_ruleset(request.network, {}).table;
  if (netlink::has_nft_table(table)) run_nft(netlink::print_removal(table));
}

}  // namespace onlink::plugin
