// SPDX-License-Identifier: Apache-2.0
// Network settings that have no netlink attribute: files below /proc/sys/net. They are of the network
// namespace of the calling thread at the moment of opening, so for a container's they are used inside a
// NetnsScope.
#pragma once

#include <optional>
#include <string>

namespace onlink::netlink {

// "net/ipv6/conf/eth0/accept_ra"; a name with a '.' stays as it is, since '/' separates.
// The value without its newline; nothing where the file does not exist (IPv6 compiled out, interface gone).
std::optional<std::string> read_sysctl(const std::string& name);
// Why the setting cannot be given another value (a read-only /proc/sys); nothing where it can.
std::optional<std::string> problem_of_writing(const std::string& name);
// Leaves a file that has the value already untouched, so a read-only /proc/sys with the right settings is no
// error. Throws Failure naming the setting and the value.
void write_sysctl(const std::string& name, const std::string& value);

}  // namespace onlink::netlink
