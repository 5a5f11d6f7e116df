// SPDX-License-Identifier: Apache-2.0
// Changes to an nftables table of family inet, in one transaction: the kernel makes all of it, or nothing.
#pragma once

#include <optional>
#include <vector>

#include "base/failure.h"
#include "netlink/message.h"
#include "netlink/socket.h"
#include "nft/ruleset.h"

namespace onlink::nft {

// The change as messages for the kernel.
std::vector<netlink::Message> messages_of(const Ruleset& ruleset, const TableChange& change);

// Makes the change. Nothing on success; otherwise why the kernel refused it, naming the part that it refused. In the
// caller's network namespace. Throws Failure where the kernel could not be asked.
std::optional<Failure> carry_out(const Ruleset& ruleset, const TableChange& change);
// The same, on a socket of NETLINK_NETFILTER. Closing one waits for the kernel's remaining work on a removed table: see
// TableChange.
std::optional<Failure> carry_out(netlink::Socket& socket, const Ruleset& ruleset, const TableChange& change);
// Whether it would succeed: the kernel checks all of it, and changes nothing.
std::optional<Failure> try_out(const Ruleset& ruleset, const TableChange& change);

}  // namespace onlink::nft
