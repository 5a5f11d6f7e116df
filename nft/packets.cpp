// SPDX-License-Identifier: Apache-2.0
#include "nft/packets.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace onlink::nft {
namespace {

// Big-endian.
Values number(std::uint16_t value) {
  const std::string bytes = {static_cast<char>(value >> 8u), static_cast<char>(value & 0xffu)};
  return {bytes, bytes};
}

Values byte(char value) { return {std::string(1, value), std::string(1, value)}; }

std::string text(const IpAddress& address) {
  const auto bytes = address.bytes();
  return {bytes.begin(), bytes.end()};
}

std::vector<Values> of_family(const std::vector<IpPrefix>& networks, IpFamily family) {
  std::vector<Values> values;
  for (const IpPrefix& network : networks)
    if (network.family() == family) values.push_back(Values::of(network));
  return values;
}

}  // namespace

Values Values::of(const IpPrefix& prefix) { return {text(prefix.network().address), text(prefix.last())}; }

Values Values::interface(const std::string& name) {
  std::string bytes = name;
  bytes.resize(IFNAMSIZ);
  return {bytes, bytes};
}

Values Values::interfaces(const std::string& beginning) {
  Values values = interface(beginning);
  values.last = beginning;
  while (values.last.size() < IFNAMSIZ) values.last.push_back('\xff');
  return values;
}

Values Values::word(std::uint32_t value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return {bytes, bytes};
}

Packets::Packets(IpFamily its) : family(its) {
  const bool is_v4 = family == IpFamily::v4;
  set(Field::family, {byte(is_v4 ? NFPROTO_IPV4 : NFPROTO_IPV6)});
  set(Field::ether_type, {number(is_v4 ? ETH_P_IP : ETH_P_IPV6)});
  set(Field::state, {Values::word(NF_CT_STATE_BIT(IP_CT_NEW))});
  set(Field::status, {Values::word(0)});
  set(Field::mark, {Values::word(0)});
}

void Packets::set(Field field, std::vector<Values> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (!values.empty()) fields[field] = std::move(values);
}

void Packets::from(const std::vector<IpPrefix>& networks) {
  set(family == IpFamily::v4 ? Field::source_v4 : Field::source_v6, of_family(networks, family));
}

void Packets::to(const std::vector<IpPrefix>& networks) {
  set(family == IpFamily::v4 ? Field::destination_v4 : Field::destination_v6, of_family(networks, family));
}

void Packets::with_protocols(const std::string& protocols) {
  std::vector<Values> values;
  for (const char protocol : protocols) values.push_back(byte(protocol));
  set(Field::protocol, std::move(values));
}

void Packets::to_port(std::uint16_t port) { set(Field::port, {number(port)}); }

void Packets::to_any_port() {
  set(Field::port, {{number(0).first, number(UINT16_MAX).first}});
  set(Field::some_port, {byte(0)});  // none of those that a rule is about
}

Packets Packets::later() const {
  Packets later = *this;
  later.set(Field::state, {Values::word(NF_CT_STATE_BIT(IP_CT_ESTABLISHED))});
  for (const Field field : {Field::status, Field::mark}) later.fields.erase(field);
  return later;
}

}  // namespace onlink::nft
