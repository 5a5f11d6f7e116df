// SPDX-License-Identifier: Apache-2.0
// When the IPv6 addresses of a new interface work.
//
// The kernel acknowledges an IPv6 address before it has finished with it, also with IFA_F_NODAD: a worker
// joins its solicited-node group and adds its local route (addrconf_dad_work, one queue for all namespaces).
// The kernel also acknowledges that an interface is up before it is: a worker notices, perhaps only after a
// second, that both ends of a pair carry packets (linkwatch_event), and then adds the multicast route
// (addrconf_notify). Until both workers have run, neighbour solicitations go unanswered and packets to the address
// are dropped.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "netlink/address.h"
#include "netlink/monitor.h"
#include "netlink/netns.h"

namespace onlink::netlink {

class AddressWatch {
 public:
  // Sees what happens from now on: open it before the interface gets its addresses and is set up. Throws
  // Failure.
  static AddressWatch open();                                          // in the caller's network namespace
  static AddressWatch open_in(const Netns& netns, const Netns& home);  // home: where the caller is

  // Waits until the kernel has finished with the interface and its IPv6 addresses: their routes are added
  // last. False where these were not seen in time. IPv4 addresses work immediately and are not waited for.
  bool wait(std::uint32_t link, std::span<const Address> addresses, int milliseconds);

 private:
  explicit AddressWatch(Monitor monitor) : monitor_(std::move(monitor)) {}

  Monitor monitor_;
};

}  // namespace onlink::netlink
