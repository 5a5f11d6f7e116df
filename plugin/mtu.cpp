// SPDX-License-Identifier: Apache-2.0
#include "plugin/mtu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
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
  std::uint32_t mtu = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), mtu);
  if (error != std::errc{} || end != text->data() + text->size() || mtu < 68 || mtu > highest_mtu)
    throw Failure(
        fmt::format("{}: must hold a number from 68 to 65535, not \"{}\"", path, text->substr(0, 20)));
  return mtu;
}

// The route to an address that belongs to nobody (RFC 5737, RFC 3849) is the default route; asking for it
// needs no dump. Hosts that send some of these addresses elsewhere (a test, a blackhole for bogons) do so
// with a longer prefix.
constexpr std::array nobodies_v4 = {"192.0.2.1", "198.51.100.1", "203.0.113.1"};
constexpr std::array nobodies_v6 = {"2001:db8::1"};

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

std::optional<std::uint32_t> default_route_mtu(netlink::Socket& host, std::span<const char* const> nobodies) {
  for (const char* nobody : nobodies) {
    netlink::Message question = netlink::get_route(*IpAddress::parse(nobody));
    std::optional<netlink::Route> route;
    const auto outcomes = host.execute_each(
        {&question, 1}, [&](std::size_t, const nlmsghdr& answer) { route = netlink::parse_route(answer); });
    const int error = outcomes.front() ? outcomes.front()->error() : 0;
    if (error == ENETUNREACH) return std::nullopt;  // no route fits: there is no default route
    if (error != 0 && !netlink::no_usable_route(error)) throw *outcomes.front();
    if (!route || route->dst.length != 0) continue;
    if (const auto mtu = mtu_of(*route, host)) return mtu;
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t choose_mtu(const NetConf& config, netlink::Socket& host) {
  if (config.mtu) return *config.mtu;
  if (const auto mtu = read_published(config.run_dir + "/mtu")) return *mtu;
  if (const auto mtu = default_route_mtu(host, nobodies_v4)) return *mtu;
  return default_route_mtu(host, nobodies_v6).value_or(ethernet_mtu);
}

}  // namespace onlink::plugin
