// SPDX-License-Identifier: Apache-2.0
#include "netlink/address_watch.h"

#include <linux/rtnetlink.h>
#include <poll.h>

#include <chrono>
#include <set>

#include "base/uninterrupted.h"
#include "netlink/route.h"

namespace onlink::netlink {
namespace {

// Waits for a notification until the time end. False when no time is left.
bool await(int descriptor, std::chrono::steady_clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  pollfd waiting{descriptor, POLLIN, 0};
  return left.count() > 0 &&
         uninterrupted([&] { return ::poll(&waiting, 1, static_cast<int>(left.count())); }) >= 0;
}

}  // namespace

AddressWatch AddressWatch::open() {
  constexpr int groups[] = {RTNLGRP_IPV6_ROUTE};
  return AddressWatch(Monitor::open(NETLINK_ROUTE, groups));
}

AddressWatch AddressWatch::open_in(const Netns& netns, const Netns& home) {
  const NetnsScope inside(netns, home);
  return open();
}

bool AddressWatch::wait(std::uint32_t link, std::span<const Address> addresses, int milliseconds) {
  const IpPrefix multicast = *IpPrefix::parse("ff00::/8");
  std::set<IpPrefix> missing;
  for (const Address& address : addresses)
    if (!address.prefix.address.is_v4()) missing.insert(IpPrefix::host(address.prefix.address));
  if (!missing.empty()) missing.insert(multicast);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!missing.empty()) {
    const bool complete = monitor_.drain([&](const nlmsghdr& message) {
      if (message.nlmsg_type != RTM_NEWROUTE) return;
      const auto route = parse_route(message);
      // The type of the multicast route is unicast before Linux 5.11.
      if (route && route->link == link && (route->type == RTN_LOCAL || route->dst == multicast))
        missing.erase(route->dst);
    });
    if (missing.empty()) break;
    if (!complete || !await(monitor_.descriptor(), end)) return false;
  }
  return true;
}

}  // namespace onlink::netlink
