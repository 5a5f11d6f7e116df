// SPDX-License-Identifier: Apache-2.0
// The node's nftables table: loaded in one transaction, compared with what the kernel has, repaired.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nft/ruleset.h"
#include "node/cluster/cluster.h"
#include "node/routes/desired.h"
#include "node/routes/host.h"

namespace onlink::node {

// The rules that a cluster asks for on this node.
nft::Ruleset wanted_ruleset(const Cluster& cluster, const Desired& desired);
// The same, and room for the nodes to which this host still has routes: what holds while routes change.
nft::Ruleset with_current_peers(nft::Ruleset ruleset, const Host& host);

// What was loaded last, as fingerprints: it outlives the process.
struct Loaded {
  std::string structure;  // of the rules without elements
  std::string elements;   // of all sets
  std::string listing;    // of the rules as the kernel then had them (nft::rules_of_table)
  // nft::ruleset_generation() when the kernel last had exactly that: while it stays, there is nothing to
  // look at.
  std::string generation;

  bool operator==(const Loaded&) const = default;
};

// In the caller's network namespace. Throws Failure where the kernel cannot be asked.
class Firewall {
 public:
  // The commands that would bring the kernel's table in line with the rules; empty: it is. Where the rules
  // are as they should be, only the elements that differ come and go; the whole table is replaced where its
  // rules differ, or where somebody touched them. What it has counted goes over into the new one, but for packets
  // of that very moment.
  static std::string difference(const nft::Ruleset& wanted, const Loaded& loaded);
  // Whether nobody has touched any rules since those were loaded, as far as the kernel tells.
  static bool untouched(const Loaded& loaded);
  // Runs them. Kernels are built with some parts of nftables and without others: a part that the kernel
  // refuses is left out from then on and named in `problems` each time.
  struct Result {
    Loaded loaded;
    std::string commands;  // empty: there was nothing to do
  };
  Result load(const nft::Ruleset& wanted, const Loaded& loaded, std::vector<std::string>& problems);
  static bool remove(const std::string& table);  // false: there was none

  // Chains of others that drop forwarded packets, or, where nodes send any to each other, IPIP, unless a rule
  // accepts them: each with the commands that let these through.
  // vxlan: the same for UDP to its port.
  static std::vector<std::string> obstacles(const std::string& pod_interfaces, bool tunnels,
                                            const std::optional<WantedVxlan>& vxlan);
  // What was dropped so far.
  static nft::Counts counts(const std::string& table);

 private:
  const std::vector<std::string>& find_refused(const nft::Ruleset& wanted);  // tries each part alone
  nft::Ruleset supported(nft::Ruleset ruleset) const;

  nft::ElementsBySet elements_;  // that were loaded last: a kernel with very many takes its time to list them
  std::string known_by_;         // their fingerprint
  bool refused_nat_ = false;
  bool refused_tunnel_ = false;
  bool refused_pods_ = false;
  std::vector<std::string> refusals_;
};

}  // namespace onlink::node
