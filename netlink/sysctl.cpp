// SPDX-License-Identifier: Apache-2.0
#include "netlink/sysctl.h"

#include <fmt/format.h>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::netlink {

std::optional<std::string> read_sysctl(const std::string& name) {
  auto value = read_file(AT_FDCWD, "/proc/sys/" + name);
  if (value && value->ends_with('\n')) value->pop_back();
  return value;
}

void write_sysctl(const std::string& name, const std::string& value) {
  if (read_sysctl(name) == value) return;
  with_context(fmt::format("set {} to {}", name, value), [&] {
    const UniqueFd file = open_file(AT_FDCWD, "/proc/sys/" + name, O_WRONLY);
    write_all(file.get(), value, name);
  });
}

}  // namespace onlink::netlink
