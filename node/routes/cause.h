// SPDX-License-Identifier: Apache-2.0
// What a notification of the kernel says of who did what: for people who ask why onlink-node had to mend something.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "netlink/message.h"

namespace onlink::node {

struct Cause {
  std::string what;  // "route 10.10.2.0/24 via 10.0.0.2 dev eth0 proto 169 deleted"
  std::uint32_t port =
      0;  // of the netlink socket, as a rule the process that opened it first; 0: the kernel itself
  std::string process;  // whose that is, where it still lives

  bool operator==(const Cause&) const = default;
};

// Of a notification of rtnetlink. In the network namespace that it is about.
Cause cause_of(const nlmsghdr& message);
// Of the one that ends a transaction of nftables, and that alone names a process (NFT_MSG_NEWGEN); nothing for others.
std::optional<Cause> cause_of_transaction(const nlmsghdr& message);

// {"what", "port", "process"}; what is not known is left out.
nlohmann::json print(const Cause& cause);

}  // namespace onlink::node
