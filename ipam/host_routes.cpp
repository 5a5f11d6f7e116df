// SPDX-License-Identifier: Apache-2.0
#include "ipam/host_routes.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::ipam {
namespace {

constexpr std::size_t largest_table = std::size_t{256} << 20;
constexpr std::uint32_t rtf_local = 0x80000000;  // include/uapi/linux/ipv6_route.h

template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
      if (end > at) words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    use(words);
  }
}

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// A table of the kernel, which may be long; empty where it cannot be read (IPv6 is turned off).
std::string read_table(const char* path) {
  try {
    const auto fd = open_if_exists(AT_FDCWD, path, O_RDONLY);
    return fd ? read_all(fd->get(), path, largest_table) : std::string();
  } catch (const Failure&) {
    return {};
  }
}

}  // namespace

HostRoutes HostRoutes::read() {
  return parse(read_table("/proc/net/route"), read_table("/proc/net/ipv6_route"));
}

HostRoutes HostRoutes::parse(std::string_view route, std::string_view ipv6_route) {
  HostRoutes routes;
  // Iface Destination Gateway Flags RefCnt Use Metric Mask ...: numbers as they are in memory.
  for_each_line(route, [&](const std::vector<std::string_view>& words) {
    if (words.size() < 8 || words[7] != "FFFFFFFF") return;
    const auto destination = hexadecimal(words[1]);
    if (!destination) return;
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &*destination, bytes.size());
    routes.interfaces_.emplace(IpAddress::from_bytes(bytes), words[0]);
  });
  // destination length source length gateway metric refcnt use flags interface
  for_each_line(ipv6_route, [&](const std::vector<std::string_view>& words) {
    if (words.size() < 10 || words[0].size() != 32 || words[1] != "80") return;
    const auto flags = hexadecimal(words[8]);
    if (!flags || (*flags & rtf_local) != 0) return;
    IpNumber number = 0;
    for (std::size_t i = 0; i < 4; ++i)
      number = number << 32 | hexadecimal(words[0].substr(8 * i, 8)).value_or(0);
    routes.interfaces_.emplace(IpAddress::from_number(IpFamily::v6, number), words[9]);
  });
  return routes;
}

std::string HostRoutes::interface_to(const IpAddress& address) const {
  const auto found = interfaces_.find(address);
  return found == interfaces_.end() ? std::string() : found->second;
}

}  // namespace onlink::ipam
