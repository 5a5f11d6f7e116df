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
// The same for the nodes to which these routes of the host lead, too.
nft::Ruleset with_peers_of(const std::vector<netlink::Route>& routes, const Host& host, nft::Ruleset ruleset);

// Fingerprints of what was loaded last. They outlive the process.
struct Loaded {
  std::string structure;  // of the rules without elements
  std::string elements;   // of all sets
  std::string listing;    // of the rules as the kernel then had them (nft::rules_of_table)
  // nft::ruleset_generation() when the kernel last had exactly this: while it stays the same, nothing has changed.
  std::string generation;

  bool operator==(const Loaded&) const = default;
};

// In the caller's network namespace. Throws Failure if the kernel cannot be asked.
class Firewall {
 public:
  // The commands that would bring the kernel's table in line with the rules; empty: it is. If the rules are right, only
  // the elements that differ are added and removed. If they differ, or somebody touched them, the whole table is
  // replaced; the new one takes over its counts, except for packets of that very moment.
  static std::string difference(const nft::Ruleset& wanted, const Loaded& loaded);
  // Whether nobody has touched any rules since those were loaded, as far as the kernel tells.
  static bool untouched(const Loaded& loaded);
  // Runs them. Some kernels are built without parts of nftables: a part that the kernel refuses is left out until
  // try_again, and named in `problems` each time.
  struct Result {
    Loaded loaded;
    std::string commands;  // empty: there was nothing to do
  };
  Result load(const nft::Ruleset& wanted, const Loaded& loaded, std::vector<std::string>& problems);
  // What was refused may be possible by now: another's table with our name has gone, a module was loaded.
  void try_again() { refused_ = {}; }
  static bool remove(const std::string& table);  // false: there was none

  // Others' chains that drop packets of pods, or of a tunnel that is in use (nft::chains_that_drop), each with the
  // commands that let these through.
  static std::vector<std::string> obstacles(const Cluster& cluster, const Desired& desired, const Host& host);
  // What was dropped so far.
  static nft::Counts counts(const std::string& table);

 private:
  const std::vector<std::string>& find_refused(const nft::Ruleset& wanted);  // tries each part alone
  nft::Ruleset supported(nft::Ruleset ruleset) const;

  nft::ElementsBySet elements_;  // loaded last: the kernel is slow to list very many
  std::string known_by_;         // their fingerprint
  struct {
    bool nat = false, tunnel = false, pods = false;
    std::vector<std::string> why = {};
  } refused_;
};

}  // namespace onlink::node
