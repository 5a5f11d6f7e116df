// SPDX-License-Identifier: Apache-2.0
#include "node/probe/host.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <optional>

#include "netlink/sysctl.h"
#include "node/probe/doubles.h"

namespace onlink::node {
namespace {

std::optional<std::uint64_t> number(const char* setting) {
  const auto text = netlink::read_sysctl(setting);
  std::uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc())
    return std::nullopt;
  return value;
}

void look_at_conntrack(HostCheck& check) {
  const auto count = number("net/netfilter/nf_conntrack_count");
  const auto most = number("net/netfilter/nf_conntrack_max");
  if (!count || !most || *most == 0) return;
  check.notes.push_back(fmt::format("connections tracked: {} of {}", *count, *most));
  if (*count >= *most - *most / 20)
    check.problems.push_back(
        {"conntrack-full", Subject::node,
         fmt::format(
             "the table of tracked connections is full ({} of {}): new ones are dropped; to enlarge it: "
             "sysctl -w net.netfilter.nf_conntrack_max={}",
             *count, *most, *most * 2)});
}

void look_at_managers(HostCheck& check, const std::string& pods) {
  if (::access("/run/NetworkManager", F_OK) == 0)
    check.notes.push_back(
        fmt::format("NetworkManager is here: it has to leave {}* and tunl0 alone "
                    "(networkmanager-onlink.conf)",
                    pods));
  if (::access("/run/systemd/netif/state", F_OK) == 0)
    check.notes.emplace_back(
        "systemd-networkd is here: it removes routes of others without "
        "networkd.conf.d-onlink.conf");
  if (::access("/run/firewalld", F_OK) == 0) check.notes.emplace_back("firewalld is here");
}

void look_for_double(netlink::Socket& socket, const Cluster& cluster, const Host& host, HostCheck& check) {
  if (!cluster.self.ipv4) return;
  const std::string words = find_own_double(socket, host, *cluster.self.ipv4);
  if (!words.empty())
    check.problems.push_back(
        {"duplicate-address", Subject::node, words + "; packets for this node sometimes go to it"});
}

}  // namespace

HostCheck check_host(netlink::Socket& socket, const Cluster& cluster, const Host& host) {
  HostCheck check;
  utsname name{};
  if (::uname(&name) == 0) check.notes.push_back(fmt::format("kernel {} {}", name.release, name.machine));
  for (const char* setting :
       {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/rp_filter"})
    if (const auto value = netlink::read_sysctl(setting))
      check.notes.push_back(fmt::format("{} = {}", setting, *value));
  look_at_conntrack(check);
  look_at_managers(check, cluster.pod_interface_prefix);
  look_for_double(socket, cluster, host, check);
  return check;
}

}  // namespace onlink::node
