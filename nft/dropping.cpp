// SPDX-License-Identifier: Apache-2.0
#include "nft/dropping.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "netlink/socket.h"
#include "nft/conditions.h"
#include "nft/request.h"
#include "nft/ruleset.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Nested;
using netlink::parts_of;
using netlink::Socket;
namespace {

const char* name_of_family(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return nullptr;
  }
}

bool sees(std::uint8_t family, const Packets& packets) {
  return family == NFPROTO_INET || family == NFPROTO_NETDEV ||
         family == (packets.family == IpFamily::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

using TableKey = std::pair<std::uint8_t, std::string>;

// A chain that packets enter first.
struct BaseChain {
  std::uint8_t family;
  DroppingChain chain;
  bool drops;                   // by its policy
  std::vector<Values> devices;  // of ingress and egress
};

std::uint32_t hook_of(std::uint8_t family, const Attributes& hook) {
  const std::uint32_t number = number_of(hook, NFTA_HOOK_HOOKNUM, 0);
  if (family != NFPROTO_NETDEV) return number;
  return number == NF_NETDEV_INGRESS ? std::uint32_t{NF_INET_INGRESS} : egress;
}

std::optional<BaseChain> parse_base(const nlmsghdr& message, std::span<const std::uint32_t> hooks) {
  const auto [header, attributes] = parts_of<nfgenmsg>(message);
  const auto hook = attributes.get(Attribute<Nested>{NFTA_CHAIN_HOOK});
  const char* family = name_of_family(header.nfgen_family);
  if (hook.empty() || family == nullptr) return std::nullopt;
  const std::uint32_t number = hook_of(header.nfgen_family, hook);
  if (std::find(hooks.begin(), hooks.end(), number) == hooks.end()) return std::nullopt;
  BaseChain base{
      header.nfgen_family,
      {number, family, text_of(attributes, NFTA_CHAIN_TABLE), text_of(attributes, NFTA_CHAIN_NAME)},
      number_of(attributes, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP,
      {}};
  for (const Attributes& device : hook.list(Attribute<Nested>{NFTA_HOOK_DEVS}))
    base.devices.push_back(Values::interface(device.text()));
  return base;
}

std::optional<TableKey> parse_dormant(const nlmsghdr& message) {
  const auto [header, attributes] = parts_of<nfgenmsg>(message);
  if ((number_of(attributes, NFTA_TABLE_FLAGS, 0) & NFT_TABLE_F_DORMANT) == 0) return std::nullopt;
  return TableKey{header.nfgen_family, text_of(attributes, NFTA_TABLE_NAME)};
}

// Whether a condition is true for the packets; maybe: for some, or it is not known.
enum class Fits : std::uint8_t { no, maybe, yes };
Fits opposite(Fits fits) {
  if (fits == Fits::maybe) return fits;
  return fits == Fits::no ? Fits::yes : Fits::no;
}

// How a rule, or a chain, may end for packets; several are possible.
using Ends = unsigned;
constexpr Ends on = 1, left = 2, passed = 4, lost = 8, lost_by_name = 16;  // on: to the next rule

Ends named(Ends ends) { return (ends & lost) != 0 ? (ends & ~lost) | lost_by_name : ends; }

bool has_one_value(const Values& values) { return values.first == values.last; }

bool is_name(Field field) {
  constexpr std::array nobodys = {Field::other, Field::family, Field::ether_type,
                                  Field::state, Field::status, Field::mark};
  return std::find(nobodys.begin(), nobodys.end(), field) == nobodys.end();
}

bool tells_packets_apart(Field field) {
  return is_name(field) && field != Field::protocol && field != Field::port && field != Field::some_port;
}

std::string masked(std::string bytes, const std::string& mask) {
  for (std::size_t i = 0; i < std::min(bytes.size(), mask.size()); ++i)
    bytes[i] = static_cast<char>(bytes[i] & mask[i]);
  return bytes;
}

Values by_name(const Values& index) {
  unsigned number = 0;
  std::array<char, IF_NAMESIZE> name{};
  if (index.first.size() == sizeof number) std::memcpy(&number, index.first.data(), sizeof number);
  if (::if_indextoname(number, name.data()) == nullptr) return Values::interface("");
  return Values::interface(name.data());
}

// Goes through a chain and those that it leads to, with all packets at once.
class Walk {
 public:
  Walk(TableContent& table, Packets packets) : table_(table), packets_(std::move(packets)) {}

  Ends through(const std::string& chain) {
    const auto [known, is_new] = ends_.try_emplace(chain);
    if (is_new) known->second = go_through(chain);
    return known->second;
  }

  // The first condition that some of the packets meet and others do not, as two kinds of packets.
  struct Parts {
    Packets inside, outside;
  };
  const std::optional<Parts>& parts() const { return parts_; }

 private:
  Ends go_through(const std::string& chain) {
    Ends all = 0;
    for (const JudgedRule& rule : table_.rules(chain)) {
      const Ends ends = after(rule);
      all |= ends & ~on;
      if ((ends & on) == 0) return all;
    }
    return all | left;
  }

  Ends after(const JudgedRule& rule) {
    Fits all = Fits::yes;
    bool names = false;
    for (const Condition& condition : rule.conditions) {
      const Fits fits = judge(condition);
      if (fits == Fits::no) return on;
      all = std::min(all, fits);
      names = names || (fits == Fits::yes && is_name(condition.field) && !condition.is_negated);
    }
    const Ends ends = rule.map.empty() ? after(rule.verdict) : after_map(rule.map.front());
    if (all == Fits::maybe) return ends | on;
    return names ? named(ends) : ends;
  }

  Ends after(const Verdict& verdict) {
    switch (verdict.kind) {
      case Verdict::Kind::accept:
        return passed;
      case Verdict::Kind::drop:
        return lost;
      case Verdict::Kind::leave:
        return left;
      case Verdict::Kind::go:
        return through(verdict.chain);
      case Verdict::Kind::jump: {
        const Ends ends = through(verdict.chain);
        return (ends & left) != 0 ? (ends & ~left) | on : ends;
      }
      default:
        return on;
    }
  }

  Ends after_map(const Condition& key) {
    Fits found = Fits::no;
    Ends all = 0;
    for (const Element& element : table_.elements(key.set)) {
      const Fits fits = element.is_rest ? opposite(found) : compare(key, {&element.values, 1});
      if (fits == Fits::no) continue;
      const Ends ends = after(element.verdict);
      all |= fits == Fits::yes && !element.is_rest && is_name(key.field) ? named(ends) : ends;
      found = std::max(found, fits);
    }
    return found == Fits::yes ? all : all | on;
  }

  Fits judge(const Condition& condition) {
    std::vector<Values> asked = condition.values;
    if (!condition.set.empty())
      for (const Element& element : table_.elements(condition.set)) asked.push_back(element.values);
    const Fits fits = compare(condition, asked);
    return condition.is_negated ? opposite(fits) : fits;
  }

  Fits compare(const Condition& condition, std::span<const Values> asked) {
    const auto field = packets_.fields.find(condition.field);
    if (field == packets_.fields.end()) return Fits::maybe;
    std::vector<Values> known = field->second;
    if (!condition.mask.empty()) {
      if (known.size() != 1 || !has_one_value(known[0])) return Fits::maybe;
      known[0].first = known[0].last = masked(known[0].first, condition.mask);
    }
    std::vector<Values> inside;
    bool touched = false;
    for (Values values : asked) {
      if (condition.by_index) values = by_name(values);
      if (!pad(values, known[0].first.size())) return Fits::maybe;
      touched = collect(known, values, inside) || touched;
    }
    if (inside.size() == known.size()) return Fits::yes;
    if (inside.empty()) return touched ? Fits::maybe : Fits::no;
    if (tells_packets_apart(condition.field)) divide(condition.field, std::move(inside));
    return Fits::maybe;
  }

  static bool pad(Values& values, std::size_t size) {
    if (std::max(values.first.size(), values.last.size()) > size) return false;
    values.first.resize(size, '\0');
    while (values.last.size() < size) values.last.push_back('\xff');
    return true;
  }

  // Adds what is known and asked for. True: of another one a part is asked for, and more than one value: what is asked of
  // one address or port is not asked of the packets of most.
  static bool collect(const std::vector<Values>& known, const Values& asked, std::vector<Values>& inside) {
    bool touched = false;
    auto at =
        std::lower_bound(known.begin(), known.end(), asked.first,
                         [](const Values& each, const std::string& first) { return each.last < first; });
    for (; at != known.end() && at->first <= asked.last; ++at)
      if (asked.first <= at->first && at->last <= asked.last)
        inside.push_back(*at);
      else
        touched = touched || !has_one_value(asked);
    return touched;
  }

  void divide(Field field, std::vector<Values> inside) {
    if (parts_) return;
    std::sort(inside.begin(), inside.end());
    const std::vector<Values>& known = packets_.fields.at(field);
    std::vector<Values> outside;
    std::set_difference(known.begin(), known.end(), inside.begin(), inside.end(),
                        std::back_inserter(outside));
    parts_ = Parts{packets_, packets_};
    parts_->inside.set(field, std::move(inside));
    parts_->outside.set(field, std::move(outside));
  }

  TableContent& table_;
  const Packets packets_;
  std::map<std::string, Ends> ends_;  // by chain
  std::optional<Parts> parts_;
};

struct Loss {
  bool any = false, by_name = false;
};

// Packets that do not all go the same way are divided, and each part is looked at: but not more of them than there are
// in a firewall that somebody wrote.
Loss loss_in(TableContent& table, const BaseChain& base, const Packets& packets) {
  constexpr int most = 32;
  Loss loss;
  std::vector<Packets> parts = {packets};
  for (int divided = 0; !parts.empty();) {
    Walk walk(table, std::move(parts.back()));
    parts.pop_back();
    Ends ends = walk.through(base.chain.name);
    if (walk.parts() && divided < most) {
      ++divided;
      parts.push_back(walk.parts()->inside);
      parts.push_back(walk.parts()->outside);
      continue;
    }
    if ((ends & left) != 0) ends |= base.drops ? lost : passed;
    if ((ends & passed) != 0) continue;
    loss.any = true;
    loss.by_name = loss.by_name || (ends & lost_by_name) != 0;
  }
  return loss;
}

// The packets that such a chain sees, as far as they are known there; nothing: none.
std::optional<Packets> seen_by(const BaseChain& base, Packets packets) {
  if (!sees(base.family, packets)) return std::nullopt;
  const std::uint32_t hook = base.chain.hook;
  const bool leaves = hook == egress;
  if (leaves || hook == NF_INET_INGRESS) {
    const Field place = leaves ? Field::out : Field::in;
    std::vector<Values> here;
    for (const Values& each : packets.fields[place])
      if (std::find(base.devices.begin(), base.devices.end(), each) != base.devices.end())
        here.push_back(each);
    if (here.empty()) return std::nullopt;
    packets.fields[place] = std::move(here);
  }
  if (leaves) packets.fields.erase(Field::in);
  if (hook == NF_INET_INGRESS || hook == NF_INET_PRE_ROUTING) packets.fields.erase(Field::out);
  if (hook == NF_INET_INGRESS)
    for (const Field later : {Field::state, Field::status}) packets.fields.erase(later);
  return packets;
}

// Whether packets of the flows are lost there; notes whether by name.
bool drops(TableContent& table, BaseChain& base, const std::vector<Packets>& flows) {
  std::map<IpFamily, bool> all;
  bool is_deaf = false;
  for (const Packets& flow : flows) {
    const auto packets = seen_by(base, flow);
    if (!packets) continue;
    is_deaf = is_deaf || (flow.is_direction && loss_in(table, base, *seen_by(base, flow.later())).any);
    const Loss loss = loss_in(table, base, *packets);
    base.chain.by_name = base.chain.by_name || loss.by_name;
    bool& whole = all.try_emplace(packets->family, true).first->second;
    whole = whole && loss.any;
  }
  return base.chain.by_name || is_deaf ||
         std::any_of(all.begin(), all.end(), [](const auto& each) { return each.second; });
}

}  // namespace

std::vector<DroppingChain> chains_that_drop(std::span<const std::uint32_t> hooks,
                                            const std::vector<Packets>& flows) try {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  const auto asleep = socket.dump<TableKey>(list_all(NFT_MSG_GETTABLE, "tables"), parse_dormant);
  const auto parse = [&](const nlmsghdr& message) { return parse_base(message, hooks); };
  std::vector<DroppingChain> chains;
  for (BaseChain& base : socket.dump<BaseChain>(list_all(NFT_MSG_GETCHAIN, "chains"), parse)) {
    const TableKey key{base.family, base.chain.table};
    if (key == TableKey{NFPROTO_INET, Ruleset().table} ||
        std::find(asleep.begin(), asleep.end(), key) != asleep.end())
      continue;
    TableContent table(socket, base.family, base.chain.table);
    if (drops(table, base, flows)) chains.push_back(base.chain);
  }
  return chains;
} catch (const Failure& failure) {
  if (is_without_nftables(failure)) return {};
  throw;
}

}  // namespace onlink::nft
