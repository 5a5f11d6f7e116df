// SPDX-License-Identifier: Apache-2.0
#include "netlink/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

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

namespace {

// folder: the setting's; invalid where it does not exist.
void write_in(const UniqueFd& folder, const std::string& name, const std::string& value) {
  const std::string file = name.substr(name.rfind('/') + 1);
  const auto current = folder ? read_file(folder.get(), file) : std::nullopt;
  if (current == value + "\n") return;
  // A kernel booted with ipv6.disable=1 has no IPv6 settings at all.
  if (!current && name.starts_with("net/ipv6/") && !read_sysctl("net/ipv6/conf/all/forwarding"))
    throw Failure("this kernel has no IPv6", EAFNOSUPPORT);
  const UniqueFd opened =
      folder ? open_file(folder.get(), file, O_WRONLY) : open_file(AT_FDCWD, "/proc/sys/" + name, O_WRONLY);
  write_all(opened.get(), value, name);
}

}  // namespace

void write_sysctls(const std::vector<Sysctl>& settings) {
  std::string path;
  UniqueFd folder;
  for (const Sysctl& setting : settings)
    with_context(fmt::format("set {} to {}", setting.first, setting.second), [&] {
      if (std::string parent = "/proc/sys/" + setting.first.substr(0, setting.first.rfind('/'));
          parent != path) {
        auto opened = open_if_exists(AT_FDCWD, parent, O_PATH | O_DIRECTORY);
        folder = opened ? std::move(*opened) : UniqueFd();
        path = std::move(parent);
      }
      write_in(folder, setting.first, setting.second);
    });
}

}  // namespace onlink::netlink
