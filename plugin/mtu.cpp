// SPDX-License-Identifier: Apache-2.0
#include "plugin/mtu.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace onlink::plugin {
namespace {

constexpr std::uint32_t ethernet_mtu = 1500;
constexpr std::uint32_t highest_mtu = 65535;  // of a veth; a tunnel may have more

std::optional<std::uint32_t> read_published(const std::string& path) {
  auto text = read_file(AT_FDCWD, path);
  if (!text) return std::nullopt;
  if (text->ends_with('\n')) text->pop_back();
  const auto mtu = to_number<std::uint32_t>(*text);
  if (!mtu || *mtu < 68 || *mtu > highest_mtu)
    throw Failure(
        fmt::format("{}: must hold a number from 68 to 65535, not \"{}\"", path, text->substr(0, 20)));
  return mtu;
}

std::optional<std::uint32_t> mtu_of(const netlink::Route& route, netlink::Socket& host) {
  std::vector<std::uint32_t> links;
  for (const netlink::NextHop& hop : route.multipath) links.push_back(hop.link);
  if (route.link != 0) links.push_back(route.link);
  std::optional<std::uint32_t> smallest;
  const auto take = [&](std::uint32_t mtu) { smallest = std::min(smallest.value_or(highest_mtu), mtu); };
  for (const std::uint32_t index : links)
    if (const auto link = netlink::find_link(host, index)) take(link->mtu);
  if (smallest && route.mtu != 0) take(route.mtu);
  return smallest;
}

std::optional<std::uint32_t> default_route_mtu(netlink::Socket& host, IpFamily family) {
  const auto route = netlink::default_route(host, family);
  return route ? mtu_of(*route, host) : std::nullopt;
}

}  // namespace

std::uint32_t choose_mtu(const NetConf& config, netlink::Socket& host) {
  if (config.mtu) return *config.mtu;
  if (const auto mtu = read_published(config.run_dir + "/mtu")) return *mtu;
  if (const auto mtu = default_route_mtu(host, IpFamily::v4)) return *mtu;
  return default_route_mtu(host, IpFamily::v6).value_or(ethernet_mtu);
}

}  // namespace onlink::plugin
