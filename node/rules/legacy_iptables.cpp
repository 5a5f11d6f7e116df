// SPDX-License-Identifier: Apache-2.0
#include "node/rules/legacy_iptables.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "base/unique_fd.h"

namespace onlink::node {
namespace {

struct Ipv4 {
  using Info = ipt_getinfo;
  using Entries = ipt_get_entries;
  using Entry = ipt_entry;
  static constexpr int domain = AF_INET, level = IPPROTO_IP;
  static constexpr const char *tables = "/proc/net/ip_tables_names", *program = "iptables-legacy";
  static const auto& match(const Entry& entry) { return entry.ip; }
};
struct Ipv6 {
  using Info = ip6t_getinfo;
  using Entries = ip6t_get_entries;
  using Entry = ip6t_entry;
  static constexpr int domain = AF_INET6, level = IPPROTO_IPV6;
  static constexpr const char *tables = "/proc/net/ip6_tables_names", *program = "ip6tables-legacy";
  static const auto& match(const Entry& entry) { return entry.ipv6; }
};
constexpr int get_info = IPT_SO_GET_INFO, get_entries = IPT_SO_GET_ENTRIES;
static_assert(get_info == IP6T_SO_GET_INFO && get_entries == IP6T_SO_GET_ENTRIES);
constexpr char table[] = "filter";

// Asking the kernel for a table creates it, so this looks at the list first.
bool is_loaded(const char* tables) {
  std::istringstream names(read_file(AT_FDCWD, tables).value_or(""));
  for (std::string name; std::getline(names, name);)
    if (name == table) return true;
  return false;
}

// Copies the object at an offset of the kernel's answer; false if the answer is too short.
template <class Object>
bool copy_at(std::string_view bytes, std::size_t offset, Object& object) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof object) return false;
  std::memcpy(&object, bytes.data() + offset, sizeof object);
  return true;
}

// The table's rules, one behind the other; info.underflow says where among them a chain's policy is.
template <class Family>
std::string read_rules(int socket, typename Family::Info& info) {
  std::memcpy(info.name, table, sizeof table);
  socklen_t length = sizeof info;
  if (::getsockopt(socket, Family::level, get_info, &info, &length) != 0) return {};
  typename Family::Entries head{};
  std::memcpy(head.name, table, sizeof table);
  head.size = info.size;
  constexpr std::size_t start = offsetof(typename Family::Entries, entrytable);
  std::string answer(start + info.size, '\0');
  std::memcpy(answer.data(), &head, start);
  length = static_cast<socklen_t>(answer.size());
  if (::getsockopt(socket, Family::level, get_entries, answer.data(), &length) != 0) return {};
  return answer.substr(start);
}

template <class Family>
bool names_interface(std::string_view rules, const std::string& pods) {
  typename Family::Entry rule;
  for (std::size_t offset = 0; copy_at(rules, offset, rule) && rule.next_offset != 0;
       offset += rule.next_offset) {
    const auto& match = Family::match(rule);
    for (const char* name : {match.iniface, match.outiface})
      if (std::string_view(name, ::strnlen(name, IFNAMSIZ)).substr(0, pods.size()) == pods) return true;
  }
  return false;
}

template <class Family>
bool drops(const std::string& pods) {
  if (!is_loaded(Family::tables)) return false;
  const UniqueFd socket(::socket(Family::domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  typename Family::Info info{};
  const std::string rules = read_rules<Family>(socket.get(), info);
  const std::size_t policy = info.underflow[NF_INET_FORWARD];
  typename Family::Entry rule;
  xt_standard_target target;
  return copy_at(rules, policy, rule) && copy_at(rules, policy + rule.target_offset, target) &&
         target.verdict == -NF_DROP - 1 && !names_interface<Family>(rules, pods);
}

}  // namespace

std::string legacy_forward_drops(const std::string& pods, IpFamily family) {
  if (family == IpFamily::v4) return drops<Ipv4>(pods) ? Ipv4::program : "";
  return drops<Ipv6>(pods) ? Ipv6::program : "";
}

}  // namespace onlink::node
