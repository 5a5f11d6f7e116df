// SPDX-License-Identifier: Apache-2.0
// Network settings without a netlink attribute: files below /proc/sys/net. They belong to the network namespace that
// the calling thread is in when it opens them, so a container's are used inside a NetnsScope.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace onlink::netlink {

// name: "net/ipv6/conf/eth0/accept_ra"; a '.' in it stays, since '/' separates.
// The value without its newline; nothing where the file does not exist (IPv6 compiled out, interface gone).
std::optional<std::string> read_sysctl(const std::string& name);
// Why the setting cannot be changed (a read-only /proc/sys); nothing where it can.
std::optional<std::string> problem_of_writing(const std::string& name);
using Sysctl = std::pair<std::string, std::string>;  // name and value
// Writes settings in order, up to the first that fails. A file that has the value already stays untouched, so a
// read-only /proc/sys with the right settings is no error. Throws Failure naming the setting and the value.
//
// A folder is opened once for several settings: the "ipv4" and "ipv6" entries of all network namespaces whose settings
// were looked at lie in one chain of the kernel's cache (proc_sys_compare): with 500 pods, each walk takes 60 us.
void write_sysctls(const std::vector<Sysctl>& settings);
inline void write_sysctl(const std::string& name, const std::string& value) {
  write_sysctls({{name, value}});
}

}  // namespace onlink::netlink
