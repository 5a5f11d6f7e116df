// SPDX-License-Identifier: Apache-2.0
#include "plugin/host_ends.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "netlink/address.h"
#include "netlink/route.h"
#include "plugin/identity.h"

namespace onlink::plugin {

using netlink::Link;

HostEnds::HostEnds(Host& host, const cni::Request& request, const NetConf& config)
    : host_(host), network_(request.network), prefix_(config.host_interface_prefix) {
  if (config.ipam) range_sets_ = config.ipam->range_sets;
}

std::string HostEnds::name_of(const cni::Attachment& owner) const {
  return host_interface_name(prefix_, network_, owner);
}

bool HostEnds::is_unfinished(const Link& link) const {
  return link.kind == "veth" && link.alias.empty() && link.group == unfinished_group(network_);
}

std::optional<cni::Attachment> HostEnds::owner_of(const Link& link) const {
  auto owner = parse_alias(link.alias);
  return owner && owner->network == short_name(network_) ? std::optional(std::move(owner->attachment))
                                                         : std::nullopt;
}

bool HostEnds::is_of(const Link& link, const cni::Attachment& owner) const {
  if (link.kind != "veth") return false;
  return link.alias.empty() ? link.name == name_of(owner) : link.alias == link_alias(network_, owner);
}

std::optional<Link> HostEnds::find_by_name(const cni::Attachment& owner) {
  return netlink::find_link(host_.socket, name_of(owner));
}

std::optional<Link> HostEnds::find(const cni::Attachment& owner) {
  if (auto link = find_by_name(owner); link && is_of(*link, owner)) return link;
  for (const Link& link : list())
    if (is_of(link, owner)) return link;
  return std::nullopt;
}

std::vector<Link> HostEnds::list() {
  auto links = netlink::list_links(host_.socket, "veth");
  std::erase_if(links, [&](const Link& link) { return !owner_of(link) && !is_unfinished(link); });
  return links;
}

// By the maker's name for it, and by alias, as an interface can be renamed. An end found by neither is gone.
std::vector<bool> HostEnds::exist(std::span<const Suspect> suspects) {
  std::map<std::string, const Link*> names;
  std::map<cni::Attachment, const Link*> attached;
  const auto links = netlink::list_links(host_.socket, "veth");
  for (const Link& link : links) {
    names[link.name] = &link;
    if (const auto owner = owner_of(link)) attached[*owner] = &link;
  }
  std::vector<bool> exist;
  for (const Suspect& suspect : suspects) {
    const auto by_alias = attached.find(suspect.owner);
    auto by_name = names.find(suspect.interface);
    if (by_name == names.end()) by_name = names.find(name_of(suspect.owner));
    exist.push_back(by_alias != attached.end() ? !remove_if_dead(*by_alias->second) : by_name != names.end());
  }
  return exist;
}

bool HostEnds::remove_if_dead(const Link& link) {
  if (netlink::peer_lives(host_.socket, link)) return false;
  netlink::delete_link_if_any(host_.socket, link);
  return true;
}

// By the host's routes to them: what a pod does to its own addresses says nothing. Only where the host end has fewer
// routes than the network has range sets, as when it was set down, the pod's first address in a set without a route is
// all that is left of that.
std::vector<HostEnds::Attached> HostEnds::attached() {
  struct End {
    Link link;
    Owner owner;
    std::vector<IpAddress> addresses = {};
  };
  std::map<std::uint32_t, End> ends;
  for (const Link& link : netlink::list_links(host_.socket, "veth"))
    if (auto owner = parse_alias(link.alias); owner && netlink::peer_lives(host_.socket, link))
      ends.emplace(link.index, End{link, std::move(*owner)});
  std::vector<Attached> all;
  if (ends.empty()) return all;
  const auto add = [&](End& end, const IpAddress& address, bool is_routed) {
    end.addresses.push_back(address);
    all.push_back({end.owner, address, is_routed});
  };
  const netlink::RouteFilter ours{.table = RT_TABLE_MAIN, .protocol = netlink::onlink_protocol};
  for (const netlink::Route& route : netlink::list_routes(host_.socket, ours))
    if (const auto found = ends.find(route.link); found != ends.end() && route.dst.is_host())
      add(found->second, route.dst.address, true);
  for (auto& entry : ends) {
    End& end = entry.second;
    if (end.owner.network != short_name(network_) || end.addresses.size() >= range_sets_.size()) continue;
    const auto lacks = [&](const IpAddress& address) {
      return std::any_of(range_sets_.begin(), range_sets_.end(), [&](const ipam::RangeSet& set) {
        return set.find(address) != nullptr &&
               std::none_of(end.addresses.begin(), end.addresses.end(),
                            [&](const IpAddress& other) { return set.find(other) != nullptr; });
      });
    };
    for (const netlink::Address& address :
         netlink::list_addresses_in(host_.socket, end.link.peer_netns.value_or(-1), end.link.peer))
      if (address.prefix.is_host() && address.scope == RT_SCOPE_UNIVERSE && lacks(address.prefix.address))
        add(end, address.prefix.address, false);
  }
  return all;
}

std::vector<ipam::Holding> HostEnds::holdings() {
  std::vector<ipam::Holding> holdings;
  for (const Attached& attached : attached())
    if (attached.owner.network == short_name(network_))
      holdings.push_back({attached.address, attached.owner.attachment, attached.is_routed});
  return holdings;
}

}  // namespace onlink::plugin
