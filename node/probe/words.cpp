// SPDX-License-Identifier: Apache-2.0
#include "node/probe/words.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"
#include "netlink/link.h"
#include "node/rules/firewall.h"

namespace onlink::node {
namespace {

std::string reason_v4(const EchoResult& result) {
  if (result.type == ICMP_TIME_EXCEEDED) return "it goes round in a loop (time exceeded)";
  switch (result.code) {
    case ICMP_NET_UNREACH:
    case ICMP_NET_UNKNOWN:
      return "it has no route";
    case ICMP_HOST_UNREACH:
    case ICMP_HOST_UNKNOWN:
      return "the host does not answer there";
    case ICMP_PROT_UNREACH:
      return "the protocol is not known there";
    case ICMP_FRAG_NEEDED:
      return fmt::format("it is too large, {} would fit", result.mtu);
    case ICMP_PORT_UNREACH:
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
      return "a firewall rejects it";
    default:
      return fmt::format("ICMP type {} code {}", result.type, result.code);
  }
}

std::string reason_v6(const EchoResult& result) {
  if (result.type == ICMP6_PACKET_TOO_BIG) return fmt::format("it is too large, {} would fit", result.mtu);
  if (result.type == ICMP6_TIME_EXCEEDED) return "it goes round in a loop (time exceeded)";
  if (result.code == ICMP6_DST_UNREACH_NOROUTE) return "it has no route";
  if (result.code == ICMP6_DST_UNREACH_ADDR) return "the host does not answer there";
  return "a firewall rejects it";
}

void read_rp_filter(std::map<std::string, std::uint64_t>& counters) {
  // Two lines of each kind: names, and under them numbers.
  const std::string text = read_file(AT_FDCWD, "/proc/self/net/netstat").value_or("");
  std::vector<std::string_view> names;
  for (const std::string_view line : split(text, "\n")) {
    auto words = split(line, " ");
    if (!names.empty() && !words.empty() && names[0] == words[0] && names.size() == words.size()) {
      for (std::size_t i = 1; i < names.size(); ++i)
        if (names[i] == "IPReversePathFilter") {
          std::uint64_t value = 0;
          (void)std::from_chars(words[i].data(), words[i].data() + words[i].size(), value);
          counters["rp_filter"] = value;
        }
    }
    names = std::move(words);
  }
}

}  // namespace

// ip-route(8) lists the errors by type of route.
std::string words_of_unsent(int error) {
  switch (error) {
    case EPERM:
      return "its own firewall (an output chain)";
    case EINVAL:
      return "a blackhole route";
    case EACCES:
      return "a prohibit route or rule";
    case EHOSTUNREACH:
      return "an unreachable route";
    case ENETUNREACH:
      return "it has no route there";
    default:
      return std::strerror(error);
  }
}

std::string words_of(const EchoResult& result, const std::string& otherwise) {
  switch (result.what) {
    case EchoResult::What::refused:
      return fmt::format("{} refuses it: {}", result.from.to_string(),
                         result.from.is_v4() ? reason_v4(result) : reason_v6(result));
    case EchoResult::What::unsent:
      if (result.error == EPERM) return "this host's own firewall does not let it out (an output chain)";
      return fmt::format("this host cannot send it: {}", words_of_unsent(result.error));
    default:
      return otherwise;
  }
}

std::string words_of(netlink::Socket& socket, const std::optional<netlink::Route>& way) {
  if (!way) return "no route";
  const auto link = netlink::find_link(socket, way->link);
  return netlink::to_string(*way, link ? link->name : "");
}

Dropped Dropped::now() {
  Dropped dropped;
  try {
    for (const auto& [name, count] : Firewall::counts("onlink").counters)
      dropped.counters_[name] = count.packets;
  } catch (const Failure&) {
    // Without nftables there is no filter that could have dropped anything.
  }
  read_rp_filter(dropped.counters_);
  return dropped;
}

std::string Dropped::since(const Dropped& before) const {
  for (const auto& [name, packets] : counters_) {
    const auto earlier = before.counters_.find(name);
    if (packets <= (earlier == before.counters_.end() ? 0 : earlier->second)) continue;
    if (name == "rp_filter")
      return "rp_filter drops it: its source is not reached through the interface that it comes from "
             "(sysctl net.ipv4.conf.*.rp_filter)";
    return fmt::format("the filter drops it (nft list table inet onlink: counter {})", name);
  }
  return "";
}

}  // namespace onlink::node
