// SPDX-License-Identifier: Apache-2.0
// Who did what, by the kernel's notification: for people who ask why onlink-node had to mend something.
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
  std::string process;  // that has this port, if it still lives

  bool operator==(const Cause&) const = default;
};

// From a notification of rtnetlink. In the network namespace that it is about.
Cause cause_of(const nlmsghdr& message);
// From the notification that ends an nftables transaction, the only one with a process (NFT_MSG_NEWGEN); else nothing.
std::optional<Cause> cause_of_transaction(const nlmsghdr& message);

// {"what", "port", "process"}, without what is not known.
nlohmann::json print(const Cause& cause);

}  // namespace onlink::node
