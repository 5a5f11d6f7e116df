// SPDX-License-Identifier: Apache-2.0
#include "node/probe/doubles.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "netlink/link.h"
#include "node/probe/arp.h"

namespace onlink::node {
namespace {

std::optional<IpAddress> address_on(const Host& host, std::uint32_t link) {
  for (const netlink::Address& address : host.underlay_addresses)
    if (address.link == link && address.prefix.address.is_v4()) return address.prefix.address;
  return std::nullopt;
}

// About the next hop on the way to a node; nothing if ARP does not find that.
std::optional<ArpQuestion> question_for(const Host& host, const IpAddress& node) {
  const netlink::Route* way = host.path_to(node);
  const netlink::Link* link = way == nullptr ? nullptr : host.link(way->link);
  if (link == nullptr || !link->mac || !node.is_v4()) return std::nullopt;
  const IpAddress next = way->gateway.value_or(node);
  const auto from = address_on(host, link->index);
  if (!next.is_v4() || !from) return std::nullopt;
  return ArpQuestion{next, link->index, *link->mac, from};
}

}  // namespace

std::vector<std::string> find_doubles(const Host& host, std::span<const IpAddress> nodes) {
  std::vector<std::string> words(nodes.size());
  std::vector<ArpQuestion> questions;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (const auto question = question_for(host, nodes[i])) {
      questions.push_back(*question);
      places.push_back(i);
    }
  const auto answers = ask_who_has(questions);
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (answers[i].size() > 1)
      words[places[i]] = fmt::format("{} machines on {} have the address {}: {}", answers[i].size(),
                                     host.link_name(questions[i].link), questions[i].address.to_string(),
                                     to_string(answers[i]));
  return words;
}

std::string find_own_double(netlink::Socket& socket, const Host& host, const IpAddress& own) {
  for (const netlink::Address& address : host.underlay_addresses) {
    const netlink::Link* link = host.link(address.link);
    if (address.prefix.address != own || !own.is_v4() || link == nullptr || !link->mac) continue;
    const ArpQuestion question[] = {{own, link->index, *link->mac}};
    auto others = ask_who_has(question)[0];
    if (!others.empty())  // this node itself may have answered, on another interface on the same wire
      for (const netlink::Link& mine : netlink::list_links(socket))
        if (mine.mac) others.erase(*mine.mac);
    if (!others.empty())
      return fmt::format("another machine on {} has this node's address {}: {}", link->name, own.to_string(),
                         to_string(others));
  }
  return "";
}

}  // namespace onlink::node
