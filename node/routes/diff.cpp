// SPDX-License-Identifier: Apache-2.0
#include "node/routes/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <tuple>
#include <utility>

#include "netlink/forwarding.h"
#include "netlink/route_key.h"

namespace onlink::node {
namespace {

TunnelChanges diff_tunnel(const Desired& desired, const Host& host, const DiffRules& rules) {
  TunnelChanges changes;
  const auto has = [&](const IpPrefix& prefix) {
    return std::any_of(host.tunnel_addresses.begin(), host.tunnel_addresses.end(),
                       [&](const netlink::Address& address) { return address.prefix == prefix; });
  };
  std::optional<IpPrefix> wanted;
  if (desired.tunnel) {
    wanted = IpPrefix::host(desired.tunnel->address);
    changes.create = !host.tunnel;
    if (changes.create) changes.local = desired.tunnel->local;
    const netlink::Link device = host.tunnel.value_or(netlink::Link{});
    if (desired.tunnel->mtu != device.mtu) changes.mtu = desired.tunnel->mtu;
    changes.pmtudisc = !desired.tunnel->local && (!device.ipip || !device.ipip->pmtudisc);
    changes.up = !device.up();
    changes.loose = host.tunnel && host.strict.contains(host.tunnel->index);
    if (!has(*wanted)) changes.add_address = wanted;
  }
  // The kernel removes the routes with such a source along with it.
  if (rules.may_withdraw)
    for (const IpPrefix& own : rules.own_addresses)
      if (own != wanted && has(own)) changes.remove_addresses.push_back(own);
  const bool own_stays = desired.tunnel && desired.tunnel->local && host.tunnel;
  changes.remove_own = host.own_tunnel && host.own_tunnel->kind == "ipip" && !own_stays &&
                       (changes.local || rules.may_withdraw);
  return changes;
}

// Values of `list` whose key `other` does not have; both are sorted by it.
template <class Value, class Key>
std::vector<Value> without(const std::vector<Value>& list, const std::vector<Value>& other, Key key) {
  std::vector<Value> rest;
  std::set_difference(list.begin(), list.end(), other.begin(), other.end(), std::back_inserter(rest),
                      [&](const Value& a, const Value& b) { return key(a) < key(b); });
  return rest;
}

void diff_entries(const VxlanEntries& wanted, const VxlanEntries& actual, bool may_withdraw,
                  VxlanChanges& changes) {
  using netlink::Neighbour;
  const auto by_value = [](const Neighbour& each) { return std::tuple(each.address, each.mac, each.link); };
  const auto by_key = [](const Neighbour& each) { return each.address; };
  const auto by_mac = [](const netlink::FdbEntry& each) { return each.mac; };
  changes.add.fdb = without(wanted.fdb, actual.fdb, std::identity());
  const auto withdrawn = without(actual.fdb, wanted.fdb, by_mac);
  changes.wrong_fdb = without(without(actual.fdb, wanted.fdb, std::identity()), withdrawn, std::identity());
  changes.add.neighbours = without(wanted.neighbours, actual.neighbours, by_value);
  if (!may_withdraw) return;
  changes.remove_entries.fdb = withdrawn;
  changes.remove_entries.neighbours = without(actual.neighbours, wanted.neighbours, by_key);
}

VxlanChanges diff_vxlan(const Desired& desired, const Host& host, bool may_withdraw) {
  VxlanChanges changes;
  const bool is_ours = host.vxlan && host.vxlan->kind == "vxlan";
  if (!desired.vxlan) {
    if (is_ours && may_withdraw) changes.remove = host.vxlan->name;
    return changes;
  }
  const WantedVxlan& wanted = *desired.vxlan;
  const bool stays = is_ours && host.vxlan->name == vxlan_name && host.vxlan->vxlan == wanted.settings &&
                     host.vxlan->mac == wanted.mac;
  if (host.vxlan && !stays) changes.remove = host.vxlan->name;
  if (!stays) changes.create = wanted;
  if (wanted.mtu != 0 && (!stays || host.vxlan->mtu != wanted.mtu)) changes.mtu = wanted.mtu;
  changes.up = !stays || !host.vxlan->up();
  changes.loose = stays && host.strict.contains(host.vxlan->index);
  std::vector<IpPrefix> have;
  if (stays)
    for (const netlink::Address& address : host.vxlan_addresses)
      if (address.scope == RT_SCOPE_UNIVERSE) have.push_back(address.prefix);
  std::vector<IpPrefix> ends;
  for (const IpAddress& address : wanted.addresses) ends.push_back(IpPrefix::host(address));
  std::sort(have.begin(), have.end());
  std::sort(ends.begin(), ends.end());
  changes.add_addresses = without(ends, have, std::identity());
  if (may_withdraw) changes.remove_addresses = without(have, ends, std::identity());
  diff_entries(desired.vxlan_entries, stays ? host.vxlan_entries : VxlanEntries(), may_withdraw, changes);
  return changes;
}

// Two lists sorted by key, walked side by side.
void diff_routes(const std::vector<netlink::Route>& wanted, const std::vector<netlink::Route>& actual,
                 bool may_withdraw, Changes& changes) {
  auto want = wanted.begin();
  auto is = actual.begin();
  auto& withdrawn = may_withdraw ? changes.remove : changes.held;
  while (want != wanted.end() || is != actual.end()) {
    if (is == actual.end() || (want != wanted.end() && key_before(*want, *is))) {
      changes.add.push_back(*want++);
    } else if (want == wanted.end() || key_before(*is, *want)) {
      withdrawn.push_back(*is++);
    } else {
      const auto end =
          std::find_if_not(is, actual.end(), [&](const auto& route) { return same_key(route, *want); });
      const auto right = std::find(is, end, *want);
      const auto stays = right == end ? is : right;
      // Others of its key, which somebody has appended. The kernel may take the wrong one of them for the one to be
      // removed, so the one that is left is replaced, right or not.
      for (auto other = is; other != end; ++other)
        if (other != stays) changes.remove.push_back(*other);
      if (right == end || std::next(is) != end) changes.replace.push_back(*want);
      ++want;
      is = end;
    }
  }
}

std::string route_command(const char* verb, const netlink::Route& route, const Host& host) {
  return fmt::format("ip {}route {} {}", route.dst.address.is_v4() ? "" : "-6 ", verb,
                     netlink::to_arguments(route, host.link_name(route.link)));
}

}  // namespace

bool Changes::empty() const {
  return !forwarding_v4 && !forwarding_v6 && tunnel == TunnelChanges{} && vxlan == VxlanChanges{} &&
         add.empty() && replace.empty() && remove.empty();
}

Changes diff(const Desired& desired, const Host& host, const DiffRules& rules) {
  Changes changes;
  changes.forwarding_v4 = desired.forwarding_v4 && !host.forwarding_v4;
  changes.forwarding_v6 = desired.forwarding_v6 && !host.forwarding_v6;
  if (changes.forwarding_v6) changes.accept_ra = host.need_accept_ra;
  changes.tunnel = diff_tunnel(desired, host, rules);
  changes.vxlan = diff_vxlan(desired, host, rules.may_withdraw);
  diff_routes(desired.routes, host.routes, rules.may_withdraw, changes);
  return changes;
}

void set_apart(const Host& host, std::vector<netlink::Route>& wanted,
               const std::vector<std::optional<netlink::Route>>& holders, std::vector<Conflict>& conflicts) {
  const auto is_others = [&](const netlink::Route& holder) {
    return holder.protocol != netlink::onlink_protocol ||
           std::find(host.attachments.begin(), host.attachments.end(), holder) != host.attachments.end();
  };
  std::vector<netlink::Route> free;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (holders[i] && is_others(*holders[i]))
      conflicts.push_back({std::move(wanted[i]), *holders[i]});
    else
      free.push_back(std::move(wanted[i]));
  wanted = std::move(free);
}

namespace {

const char* family_option(const IpAddress& address) { return address.is_v4() ? "" : "-6 "; }

std::string fdb_removal(const netlink::FdbEntry& entry) {
  return fmt::format("bridge fdb del {} dev {} self", entry.mac.to_string(), vxlan_name);
}

void add_vxlan_commands(const VxlanChanges& vxlan, std::vector<std::string>& lines) {
  if (const auto& wanted = vxlan.create) {
    if (!vxlan.remove.empty()) lines.push_back("ip link del " + vxlan.remove);
    lines.push_back(fmt::format("ip link add {} address {} type vxlan id {} local {} dstport {} nolearning",
                                vxlan_name, wanted->mac.to_string(), wanted->settings.vni,
                                wanted->settings.local->to_string(), wanted->settings.port));
  }
  if (vxlan.mtu != 0) lines.push_back(fmt::format("ip link set {} mtu {}", vxlan_name, vxlan.mtu));
  for (const IpPrefix& address : vxlan.add_addresses)
    lines.push_back(fmt::format("ip addr add {} dev {}{}", address.to_string(), vxlan_name,
                                address.address.is_v4() ? "" : " nodad"));
  if (vxlan.loose) lines.push_back(fmt::format("sysctl -w net/ipv4/conf/{}/rp_filter=2", vxlan_name));
  if (vxlan.up) lines.push_back(fmt::format("ip link set {} up", vxlan_name));
  for (const netlink::FdbEntry& entry : vxlan.wrong_fdb) lines.push_back(fdb_removal(entry));
  for (const netlink::FdbEntry& entry : vxlan.add.fdb)
    lines.push_back(fmt::format("bridge fdb replace {} dev {} dst {} self permanent", entry.mac.to_string(),
                                vxlan_name, entry.remote.value().to_string()));
  for (const netlink::Neighbour& each : vxlan.add.neighbours)
    lines.push_back(fmt::format("ip {}neigh replace {} lladdr {} dev {} nud permanent",
                                family_option(each.address), each.address.to_string(), each.mac.to_string(),
                                vxlan_name));
}

void add_vxlan_removals(const VxlanChanges& vxlan, std::vector<std::string>& lines) {
  for (const netlink::Neighbour& each : vxlan.remove_entries.neighbours)
    lines.push_back(fmt::format("ip {}neigh del {} dev {}", family_option(each.address),
                                each.address.to_string(), vxlan_name));
  for (const netlink::FdbEntry& entry : vxlan.remove_entries.fdb) lines.push_back(fdb_removal(entry));
  for (const IpPrefix& address : vxlan.remove_addresses)
    lines.push_back(fmt::format("ip addr del {} dev {}", address.to_string(), vxlan_name));
  if (!vxlan.remove.empty() && !vxlan.create) lines.push_back("ip link del " + vxlan.remove);
}

}  // namespace

std::vector<std::string> commands(const Changes& changes, const Host& host) {
  std::vector<std::string> lines;
  const TunnelChanges& tunnel = changes.tunnel;
  const std::string device = host.tunnel_device();
  if (changes.forwarding_v4) lines.emplace_back("sysctl -w net.ipv4.ip_forward=1");
  for (const std::string& link : changes.accept_ra)
    lines.push_back(fmt::format("sysctl -w {}=2", netlink::accept_ra_setting(link)));
  if (changes.forwarding_v6) lines.emplace_back("sysctl -w net.ipv6.conf.all.forwarding=1");
  // The module makes tunl0 by itself: the "File exists" of this command is the expected answer.
  const std::string remove_own = fmt::format("ip link del {}", own_tunnel_name);
  if (tunnel.remove_own && tunnel.local) lines.push_back(remove_own);
  if (tunnel.local)
    lines.push_back(
        fmt::format("ip tunnel add {} mode ipip local {}", own_tunnel_name, tunnel.local->to_string()));
  else if (tunnel.create)
    lines.push_back(fmt::format("ip tunnel add {0} mode ipip || ip link show {0}", tunnel_name));
  if (tunnel.pmtudisc) lines.push_back(fmt::format("ip tunnel change {} mode ipip pmtudisc", device));
  if (tunnel.mtu != 0) lines.push_back(fmt::format("ip link set {} mtu {}", device, tunnel.mtu));
  if (tunnel.add_address)
    lines.push_back(fmt::format("ip addr add {} dev {}", tunnel.add_address->to_string(), device));
  if (tunnel.loose) lines.push_back(fmt::format("sysctl -w net/ipv4/conf/{}/rp_filter=2", device));
  if (tunnel.up) lines.push_back(fmt::format("ip link set {} up", device));
  add_vxlan_commands(changes.vxlan, lines);
  for (const auto& route : changes.add) lines.push_back(route_command("add", route, host));
  for (const auto& route : changes.remove) lines.push_back(route_command("del", route, host));
  for (const auto& route : changes.replace) lines.push_back(route_command("replace", route, host));
  for (const IpPrefix& address : tunnel.remove_addresses)
    lines.push_back(fmt::format("ip addr del {} dev {}", address.to_string(), device));
  if (tunnel.remove_own && !tunnel.local) lines.push_back(remove_own);
  add_vxlan_removals(changes.vxlan, lines);
  return lines;
}

}  // namespace onlink::node
