// SPDX-License-Identifier: Apache-2.0
#include "plugin/mtu.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>

#include "base/file.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace onlink::plugin {
namespace {

constexpr const char* published_mtu = "/run/onlink/mtu";
constexpr std::uint32_t ethernet_mtu = 1500;

std::optional<std::uint32_t> read_published() {
  auto text = read_file(AT_FDCWD, published_mtu);
  if (!text) return std::nullopt;
  if (text->ends_with('\n')) text->pop_back();
  std::uint32_t mtu = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), mtu);
  if (error != std::errc{} || end != text->data() + text->size() || mtu < 68 || mtu > 65535)
    throw Failure(fmt::format("{}: must hold a number from 68 to 65535, not \"{}\"", published_mtu,
                              text->substr(0, 20)));
  return mtu;
}

// The way to an address that belongs to nobody (RFC 5737, RFC 3849) is the default route; asking for it needs
// no dump. Hosts that send some of these addresses elsewhere (a test, a blackhole for bogons) do so with a
// longer prefix.
constexpr std::array nobodies_v4 = {"192.0.2.1", "198.51.100.1", "203.0.113.1"};
constexpr std::array nobodies_v6 = {"2001:db8::1"};

std::optional<std::uint32_t> default_device_mtu(netlink::Socket& host,
                                                std::span<const char* const> nobodies) {
  for (const char* nobody : nobodies) {
    netlink::Message question = netlink::get_route(*IpAddress::parse(nobody));
    std::optional<netlink::Route> route;
    const auto outcomes = host.execute_each(
        {&question, 1}, [&](std::size_t, const nlmsghdr& answer) { route = netlink::parse_route(answer); });
    const int error = outcomes.front() ? outcomes.front()->error() : 0;
    if (error == ENETUNREACH) return std::nullopt;  // no route fits: then there is no default route
    if (error != 0 && !netlink::no_usable_route(error)) throw *outcomes.front();
    if (!route || route->link == 0 || route->dst.length != 0) continue;
    if (const auto link = netlink::find_link(host, route->link)) return link->mtu;
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t choose_mtu(const NetConf& config, netlink::Socket& host) {
  if (config.mtu) return *config.mtu;
  if (const auto mtu = read_published()) return *mtu;
  if (const auto mtu = default_device_mtu(host, nobodies_v4)) return *mtu;
  return default_device_mtu(host, nobodies_v6).value_or(ethernet_mtu);
}

}  // namespace onlink::plugin
