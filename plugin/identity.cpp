// SPDX-License-Identifier: Apache-2.0
#include "plugin/identity.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <system_error>

#include "base/fnv.h"
#include "netlink/link.h"

namespace onlink::plugin {
namespace {

// With the finaliser of MurmurHash3, so that every output bit depends on every input bit (in FNV alone the last
// characters hardly reach the upper bits). Not for secrets: the runtime chooses the keys, and the link's alias
// distinguishes two attachments with the same name.
std::uint64_t key_hash(const std::string& network, const cni::Attachment& key, char purpose) {
  std::uint64_t hash = fnv1a(std::string_view(&purpose, 1));
  for (const std::string* part : {&network, &key.container_id, &key.ifname})
    hash = fnv1a(std::string_view("\0", 1), fnv1a(*part, hash));
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 33;
}

constexpr std::size_t digits = 11;

}  // namespace

std::string host_interface_name(const std::string& prefix, const std::string& network,
                                const cni::Attachment& key) {
  return fmt::format("{}{:0{}x}", prefix, byte_of(network, key), digits);
}

MacAddress container_mac(const std::string& network, const cni::Attachment& key) {
  const std::uint64_t hash = key_hash(network, key, 'm');
  MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i)
    mac.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfcu) | 0x02u);
  return mac;
}

// '+' is in no network's own name.
std::string short_name(const std::string& network) {
  constexpr std::size_t longest = 100;
  if (network.size() <= longest) return network;
  return fmt::format("{}+{:016x}", network.substr(0, longest - 17), key_hash(network, {}, 's'));
}

std::string link_alias(const std::string& network, const cni::Attachment& key) {
  return fmt::format("{}{} {} {}", netlink::host_end_alias, short_name(network), key.container_id,
                     key.ifname);
}

std::uint32_t unfinished_group(const std::string& network) {
  return static_cast<std::uint32_t>(key_hash(network, {}, 'g')) | 1u;  // 0 is the default group
}

off_t byte_of(const std::string& network, const cni::Attachment& key) {
  return static_cast<off_t>(key_hash(network, key, 'n') >> (64 - 4 * digits));
}

std::optional<off_t> byte_of(const std::string& host_interface) {
  if (host_interface.size() < digits) return std::nullopt;
  off_t byte = 0;
  const char* end = host_interface.data() + host_interface.size();
  const auto [stop, error] = std::from_chars(end - digits, end, byte, 16);
  return stop == end && error == std::errc() && byte >= 0 ? std::optional(byte) : std::nullopt;
}

std::optional<Owner> parse_alias(const std::string& alias) {
  constexpr std::string_view start = netlink::host_end_alias;
  const auto first = alias.find(' ', start.size());
  const auto second = first != std::string::npos ? alias.find(' ', first + 1) : first;
  if (!alias.starts_with(start) || second == std::string::npos) return std::nullopt;
  return Owner{alias.substr(start.size(), first - start.size()),
               {alias.substr(first + 1, second - first - 1), alias.substr(second + 1)}};
}

}  // namespace onlink::plugin
