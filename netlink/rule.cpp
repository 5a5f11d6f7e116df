// SPDX-License-Identifier: Apache-2.0
#include "netlink/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "netlink/attributes.h"

namespace onlink::netlink {
namespace {

std::uint16_t first_port(const Attributes& attributes, std::uint16_t type) {
  const auto bytes = attributes.bytes(type);
  fib_rule_port_range range{};
  if (bytes.size() >= sizeof range) std::memcpy(&range, bytes.data(), sizeof range);
  return range.start;
}

std::optional<Rule> parse_rule(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWRULE) return std::nullopt;
  const auto [header, attributes] = parts_of<fib_rule_hdr>(message);
  Rule rule{attributes.get(rule_priority).value_or(0), attributes.get(rule_table).value_or(header.table)};
  if (const auto dst = attributes.get(rule_dst); dst && header.dst_len <= dst->bits())
    rule.dst = IpPrefix{*dst, header.dst_len};
  if (const auto src = attributes.get(rule_src); src && header.src_len <= src->bits())
    rule.src = IpPrefix{*src, header.src_len};
  rule.in = attributes.get(rule_in).value_or("");
  rule.transport = {attributes.get(rule_ip_protocol).value_or(0), first_port(attributes, FRA_SPORT_RANGE),
                    first_port(attributes, FRA_DPORT_RANGE)};
  rule.is_negated = (header.flags & FIB_RULE_INVERT) != 0;
  return rule;
}

}  // namespace

std::vector<Rule> list_rules(Socket& socket) {
  Message request(RTM_GETRULE, 0, [] { return std::string("list policy rules"); });
  (void)request.header<fib_rule_hdr>();
  return socket.dump<Rule>(request, parse_rule);
}

std::set<std::uint32_t> tables_before_main(const std::vector<Rule>& rules) {
  std::uint32_t main = UINT32_MAX;
  for (const Rule& rule : rules)
    if (rule.table == RT_TABLE_MAIN) main = std::min(main, rule.priority);
  std::set<std::uint32_t> tables;
  for (const Rule& rule : rules)
    if (rule.table != 0 && rule.table != RT_TABLE_LOCAL && rule.table != RT_TABLE_MAIN &&
        rule.priority < main)
      tables.insert(rule.table);
  return tables;
}

}  // namespace onlink::netlink
