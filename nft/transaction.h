// SPDX-License-Identifier: Apache-2.0
// Changes of an nftables table of family inet, told to the kernel in one transaction: all of it, or nothing.
#pragma once

#include <optional>
#include <vector>

#include "base/failure.h"
#include "netlink/message.h"
#include "netlink/socket.h"
#include "nft/ruleset.h"

namespace onlink::nft {

// What the change takes, as the kernel's messages.
std::vector<netlink::Message> messages_of(const Ruleset& ruleset, const TableChange& change);

// Makes the change. Nothing: it is made. Otherwise why the kernel refused it, by the part that it did not
// like. In the caller's network namespace. Throws Failure where the kernel could not be asked.
std::optional<Failure> carry_out(const Ruleset& ruleset, const TableChange& change);
// The same by a socket of NETLINK_NETFILTER. To close one waits for what the kernel has still to do for a table that is
// gone: see TableChange.
std::optional<Failure> carry_out(netlink::Socket& socket, const Ruleset& ruleset, const TableChange& change);
// Whether it would be made: the kernel looks at all of it, and nothing is changed.
std::optional<Failure> try_out(const Ruleset& ruleset, const TableChange& change);

}  // namespace onlink::nft
