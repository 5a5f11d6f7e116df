// SPDX-License-Identifier: Apache-2.0
// The names that follow from an attachment's key (network, container ID, ifname) alone. None is stored: a repeated
// ADD, a DEL without its namespace, CHECK and GC all find the same objects.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.h"
#include "cni/request.h"

namespace onlink::plugin {

// Prefix (at most 4 characters) and 11 hexadecimal digits: 15 characters, the longest name that Linux allows.
std::string host_interface_name(const std::string& prefix, const std::string& network,
                                const cni::Attachment& key);

// A locally administered unicast MAC.
MacAddress container_mac(const std::string& network, const cni::Attachment& key);

// "onlink <network> <container> <ifname>", with the network's short name; none of the three may contain a space.
std::string link_alias(const std::string& network, const cni::Attachment& key);
// The network for names that must be shorter than its own may be (255 bytes): itself, or its beginning and a hash.
std::string short_name(const std::string& network);
// The group of a pair that has no alias yet: by it GC recognises what a killed ADD of the network has left.
std::uint32_t unfinished_group(const std::string& network);
// A place in a file of locks: the digits of the host end's name. So a pair without an alias tells it, too.
off_t byte_of(const std::string& network, const cni::Attachment& key);
std::optional<off_t> byte_of(const std::string& host_interface);  // nothing where the name is not ours
// The attachment of a host end, by its alias; nothing where that is not ours.
struct Owner {
  std::string network;  // by its short name
  cni::Attachment attachment;
};
std::optional<Owner> parse_alias(const std::string& alias);

}  // namespace onlink::plugin
