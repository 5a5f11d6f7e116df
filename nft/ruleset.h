// SPDX-License-Identifier: Apache-2.0
// The nftables rules of a node or of one network, as text for nft(8) and for people, and as the table that
// nft/transaction.h sends to the kernel. Pure functions: nothing is run. A few rules look into sets; there is nothing
// per pod, and only the sets grow.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "nft/rule.h"
#include "nft/table.h"

namespace onlink::nft {

struct Ruleset {
  std::string table = "onlink";  // of family inet
  // Sources that are masqueraded on the way to destinations outside `inside`. Empty: nothing is masqueraded.
  std::vector<IpPrefix> masqueraded;
  std::vector<IpPrefix> inside;
  // IPIP (protocol 4) is dropped unless its sender is in tunnel_sources, and unless the sender may use the inner
  // source (tunnel_inner) or any (tunnel_trusted). Packets with a wrong inner source are counted by sender, in the set
  // forged_by.
  bool filter_tunnel = false;
  std::vector<IpPrefix> tunnel_sources;
  struct Inner {
    IpAddress sender;
    IpPrefix sources;

    auto operator<=>(const Inner&) const = default;
  };
  std::vector<Inner> tunnel_inner;
  std::vector<IpPrefix> tunnel_trusted;
  // The same for VXLAN packets of one network: one port, VNI and outer family.
  struct Vxlan {
    std::uint16_t port;
    std::uint32_t vni;
    IpFamily outer;

    bool operator==(const Vxlan&) const = default;
  };
  std::optional<Vxlan> vxlan;
  std::vector<IpPrefix> vxlan_sources;
  std::vector<Inner> vxlan_inner;
  // From interfaces whose name starts with pod_interfaces: drops IPIP and VXLAN, every source address whose route back
  // leads to another interface (IPv4 and IPv6; the kernel's rp_filter knows IPv4 only), what goes to the host's loopback
  // addresses, and what fills the host's table of IPv6 neighbours.
  bool filter_pods = false;
  // The same without IPIP and VXLAN.
  bool check_sources = false;
  std::string pod_interfaces = "onl";
  // Packets that leave through a tunnel with another address of this host get this one, so that replies come back.
  struct Exit {
    std::string device;
    IpAddress address;

    bool operator==(const Exit&) const = default;
  };
  std::vector<Exit> exits;

  bool empty() const {
    return masqueraded.empty() && !filter_tunnel && !filter_pods && !check_sources && exits.empty();
  }
  bool operator==(const Ruleset&) const = default;
};

// The chain of filter_pods and check_sources.
constexpr const char* pods_chain = "pods";
// The set of the senders of forged inner sources, each with a counter. It holds most_senders; any others appear only
// in the total counter.
constexpr const char* forged_by = "forged_by";
constexpr std::uint32_t most_senders = 65535;
// The set of the interfaces that neighbour solicitations have come from, for a limit of each. What is not seen again for
// this time is forgotten; any limit is full again by then.
constexpr const char* solicitations = "solicitations";
constexpr std::uint32_t most_interfaces = 65535;
constexpr std::uint32_t solicitations_minutes = 2;

// Everything in the table of a ruleset, in the order of creation.
struct NftSet {
  std::string name;
  IpFamily family;
  std::vector<AddressRange> elements;
  enum class Kind {
    addresses,
    pairs,      // sender and source inside
    senders,    // IPv4, filled by the kernel: only it knows the elements
    interfaces  // by index, filled by the kernel, too, and forgotten after a while
  };
  Kind kind = Kind::addresses;
  IpFamily inner = IpFamily::v4;  // of pairs: the family of the inner source,
  std::string inner_field = {};   // and its place, in nft(8)'s words
};
struct NftChain {
  std::string name, type;
  std::string hook, priority;  // in nft(8)'s words
  std::uint32_t hook_number;   // NF_INET_*
  std::int32_t priority_number;
  std::vector<Rule> rules;
};
struct NftTable {
  std::string name;
  std::vector<NftSet> sets;
  std::vector<std::string> counters;
  std::vector<NftChain> chains;
};
// Without elements the sets are empty.
NftTable table_of(const Ruleset& ruleset, bool with_elements = true);
// Whether its chains exist with the right number of rules each: rules are flushed all together, or with the table;
// nobody changes one of them by accident.
bool has_all_rules(const std::vector<Chain>& chains, const Ruleset& ruleset);

// A change to a table.
struct TableChange {
  // create: refused (EEXIST) where the table exists. To remove or replace a table, the kernel waits until no packet
  // uses it any more (RCU), and a process that closes a netfilter socket meanwhile waits too, some 15 ms
  // (nft_rcv_nl_event).
  enum class Whole { keep, create, remove, replace };
  Whole whole = Whole::keep;
  struct Elements {
    std::string set;
    std::vector<AddressRange> remove, add;  // removals come first: nftables refuses overlaps
  };
  std::vector<Elements> elements = {};
  Counts counts = {};  // initial values for a table that replaces another

  // Adds the change from one list of elements of a set to another, both sorted.
  void turn(const std::string& set, const std::vector<AddressRange>& from,
            const std::vector<AddressRange>& to);
  bool empty() const { return whole == Whole::keep && elements.empty(); }
};
// As commands of nft(8), to be run in one transaction.
std::string print(const Ruleset& ruleset, const TableChange& change);

// The whole table with the elements of its sets, in one transaction that also removes its predecessor.
std::string print_table(const Ruleset& ruleset, const Counts& counts = {});
// The same table without elements: equal texts mean that only elements differ.
std::string print_structure(const Ruleset& ruleset);
// The elements of its sets, by the sets' names: disjoint, sorted.
using ElementsBySet = std::map<std::string, std::vector<AddressRange>>;
ElementsBySet elements_of(const Ruleset& ruleset);
// Other elements for an existing set: rules, counters and the other elements stay as they are.
std::string print_change(const std::string& table, const std::string& set,
                         const std::vector<AddressRange>& remove, const std::vector<AddressRange>& add);
std::string print_removal(const std::string& table);

// The same addresses without prefixes inside others, sorted: nftables refuses overlapping elements.
std::vector<IpPrefix> disjoint(std::vector<IpPrefix> prefixes);

}  // namespace onlink::nft
