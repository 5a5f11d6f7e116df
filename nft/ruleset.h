// SPDX-License-Identifier: Apache-2.0
// The nftables rules of a node or of one network: pure functions, nothing is run. As text for nft(8) and for
// people, and as the table that nft_transaction.h tells the kernel. A few rules that look into sets; nothing
// per pod, and nothing that grows but the sets.
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
  // Sources that are masqueraded where they leave for other destinations than `inside`. Empty: nothing is.
  std::vector<IpPrefix> masqueraded;
  std::vector<IpPrefix> inside;
  // Protocol 4 (IPIP) is dropped unless its sender is one of these; and unless the source inside is one that
  // the sender may speak for, or the sender is one of those that are trusted with any. The latter is counted by
  // senders, in the set forged_by.
  bool filter_tunnel = false;
  std::vector<IpPrefix> tunnel_sources;
  struct Inner {
    IpAddress sender;
    IpPrefix sources;

    auto operator<=>(const Inner&) const = default;
  };
  std::vector<Inner> tunnel_inner;
  std::vector<IpPrefix> tunnel_trusted;
  // The same for VXLAN packets of one network: to the port, with the identifier, over one family.
  struct Vxlan {
    std::uint16_t port;
    std::uint32_t vni;
    IpFamily outer;

    bool operator==(const Vxlan&) const = default;
  };
  std::optional<Vxlan> vxlan;
  std::vector<IpPrefix> vxlan_sources;
  std::vector<Inner> vxlan_inner;
  // From interfaces whose name starts with pod_interfaces: IPIP and VXLAN are dropped, and so is every source address
  // whose way back is another interface (IPv4 and IPv6; the kernel's rp_filter knows IPv4 only).
  bool filter_pods = false;
  // The second of the two alone.
  bool check_sources = false;
  std::string pod_interfaces = "onl";
  // What leaves through a tunnel with another address of this host gets this one, so that answers come back.
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

// The set of those that have sent what no peer may send, each with a counter. It holds so many; the others are
// in the counter of all alone.
constexpr const char* forged_by = "forged_by";
constexpr std::uint32_t most_senders = 65535;

// All that is in the table of a ruleset, in the order in which it is made.
struct NftSet {
  std::string name;
  IpFamily family;
  std::vector<AddressRange> elements;
  enum class Kind {
    addresses,
    pairs,   // sender and source inside
    senders  // IPv4, filled by the kernel: nobody else knows the elements
  };
  Kind kind = Kind::addresses;
  IpFamily inner =
      IpFamily::v4;  // of pairs: the family of the source inside, and where that is, in nft(8)'s words
  std::string inner_field = {};
};
struct NftChain {
  std::string name, type;
  std::string hook, priority;  // as nft(8) has them
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
// Whether its chains are there with as many rules as they are to have: rules are flushed all at once, or the
// whole table is; nobody changes one of them by accident.
bool has_all_rules(const std::vector<Chain>& chains, const Ruleset& ruleset);

// What is to be done about a table.
struct TableChange {
  // create: there is none yet; where there is, it is refused (EEXIST). For a table that goes or is replaced the kernel
  // waits until no packet uses it any more (RCU), and whoever closes a netfilter socket meanwhile waits with it, some
  // 15 ms (nft_rcv_nl_event).
  enum class Whole { keep, create, remove, replace };
  Whole whole = Whole::keep;
  struct Elements {
    std::string set;
    std::vector<AddressRange> remove, add;  // what goes comes first: nftables refuses overlaps
  };
  std::vector<Elements> elements = {};
  Counts counts = {};  // with which a table begins that takes another's place

  // What turns the elements of a set into others, both in order.
  void turn(const std::string& set, const std::vector<AddressRange>& from,
            const std::vector<AddressRange>& to);
  bool empty() const { return whole == Whole::keep && elements.empty(); }
};
// As commands of nft(8), to be run in one transaction.
std::string print(const Ruleset& ruleset, const TableChange& change);

// The whole table with the elements of its sets, in one transaction that also takes away what was there under
// its name.
std::string print_table(const Ruleset& ruleset, const Counts& counts = {});
// The same table without elements: equal texts differ in elements only.
std::string print_structure(const Ruleset& ruleset);
// What lies in its sets, by their names: disjoint, in order.
using ElementsBySet = std::map<std::string, std::vector<AddressRange>>;
ElementsBySet elements_of(const Ruleset& ruleset);
// Other elements for a set that is there: rules, counters and the other elements stay as they are.
std::string print_change(const std::string& table, const std::string& set,
                         const std::vector<AddressRange>& remove, const std::vector<AddressRange>& add);
std::string print_removal(const std::string& table);

// The same addresses without prefixes that lie in others, sorted: nftables refuses overlapping elements.
std::vector<IpPrefix> disjoint(std::vector<IpPrefix> prefixes);

}  // namespace onlink::nft
