// SPDX-License-Identifier: Apache-2.0
// Network settings that have no netlink attribute: files below /proc/sys/net. They are of the network
// namespace of the calling thread at the moment of opening, so for a container's they are used inside a
// NetnsScope.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace onlink::netlink {

// "net/ipv6/conf/eth0/accept_ra"; a name with a '.' stays as it is, since '/' separates.
// The value without its newline; nothing where the file does not exist (IPv6 compiled out, interface gone).
std::optional<std::string> read_sysctl(const std::string& name);
// Why the setting cannot be given another value (a read-only /proc/sys); nothing where it can.
std::optional<std::string> problem_of_writing(const std::string& name);
using Sysctl = std::pair<std::string, std::string>;  // name and value
// Gives settings their values, in order, until one cannot have it. Leaves a file that has the value already untouched, so
// a read-only /proc/sys with the right settings is no error. Throws Failure naming the setting and the value.
//
// The folder of several is opened once: the entries "ipv4" and "ipv6" of all network namespaces whose settings were
// looked at lie in one chain of the kernel's cache (proc_sys_compare), and each walk through it takes 60 us where 500 pods are.
void write_sysctls(const std::vector<Sysctl>& settings);
inline void write_sysctl(const std::string& name, const std::string& value) {
  write_sysctls({{name, value}});
}

}  // namespace onlink::netlink
