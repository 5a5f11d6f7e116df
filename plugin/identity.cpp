// SPDX-License-Identifier: Apache-2.0
#include "plugin/identity.h"

#include <fmt/format.h>

namespace onlink::plugin {
namespace {

// FNV-1a over 64 bits, then the finaliser of MurmurHash3 so that every output bit depends on every input bit
// (of FNV alone the last characters hardly reach the upper bits). Not for secrets: the runtime chooses the
// keys, and two attachments with the same name would be told apart by the link's alias.
std::uint64_t key_hash(const std::string& network, const cni::Attachment& key, char purpose) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u; };
  mix(purpose);
  for (const std::string* part : {&network, &key.container_id, &key.ifname}) {
    for (const char c : *part) mix(c);
    mix('\0');
  }
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 33;
}

}  // namespace

std::string host_interface_name(const std::string& prefix, const std::string& network,
                                const cni::Attachment& key) {
  return fmt::format("{}{:011x}", prefix, key_hash(network, key, 'n') >> 20);
}

MacAddress container_mac(const std::string& network, const cni::Attachment& key) {
  const std::uint64_t hash = key_hash(network, key, 'm');
  MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i)
    mac.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfcu) | 0x02u);
  return mac;
}

std::string link_alias(const std::string& network, const cni::Attachment& key) {
  return fmt::format("onlink {} {} {}", network, key.container_id, key.ifname);
}

std::uint32_t unfinished_group(const std::string& network) {
  return static_cast<std::uint32_t>(key_hash(network, {}, 'g')) | 1u;  // 0 is everybody's
}

bool is_of_same_network(const std::string& alias, const std::string& other) {
  const auto end_of_network = [](const std::string& text) { return text.find(' ', sizeof "onlink "); };
  const auto end = end_of_network(alias);
  return end != std::string::npos && alias.starts_with("onlink ") && end == end_of_network(other) &&
         alias.compare(0, end, other, 0, end) == 0;
}

std::optional<cni::Attachment> parse_alias(const std::string& alias, const std::string& network) {
  const std::string start = fmt::format("onlink {} ", network);
  if (!alias.starts_with(start)) return std::nullopt;
  const auto space = alias.find(' ', start.size());
  if (space == std::string::npos) return std::nullopt;
  return cni::Attachment{alias.substr(start.size(), space - start.size()), alias.substr(space + 1)};
}

}  // namespace onlink::plugin
