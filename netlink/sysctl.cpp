// SPDX-License-Identifier: Apache-2.0
#include "netlink/sysctl.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::netlink {

std::optional<std::string> read_sysctl(const std::string& name) {
  auto value = read_file(AT_FDCWD, "/proc/sys/" + name);
  if (value && value->ends_with('\n')) value->pop_back();
  return value;
}

std::optional<std::string> problem_of_writing(const std::string& name) {
  if (::access(("/proc/sys/" + name).c_str(), W_OK) == 0) return std::nullopt;
  return fmt::format("{} cannot be set: {}", name, errno_name(errno));
}

void write_sysctl(const std::string& name, const std::string& value) {
  const auto current = read_sysctl(name);
  if (current == value) return;
  with_context(fmt::format("set {} to {}", name, value), [&] {
    // Booted with ipv6.disable=1, a kernel has no settings of IPv6 at all.
    if (!current && name.starts_with("net/ipv6/") && !read_sysctl("net/ipv6/conf/all/forwarding"))
      throw Failure("this kernel has no IPv6", EAFNOSUPPORT);
    const UniqueFd file = open_file(AT_FDCWD, "/proc/sys/" + name, O_WRONLY);
    write_all(file.get(), value, name);
  });
}

}  // namespace onlink::netlink
