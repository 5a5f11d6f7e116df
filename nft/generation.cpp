// SPDX-License-Identifier: Apache-2.0
#include "nft/generation.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "netlink/socket.h"
#include "netlink/sysctl.h"
#include "nft/request.h"

namespace onlink::nft {

using netlink::Attribute;
using netlink::Message;
using netlink::parts_of;
using netlink::read_sysctl;
using netlink::Socket;

bool has_nft_table(const std::string& name) {
  try {
    Socket::open(NETLINK_NETFILTER).execute(request_for(NFT_MSG_GETTABLE, name, "look at the flags"));
    return true;
  } catch (const Failure& failure) {
    if (failure.error() == ENOENT || is_without_nftables(failure)) return false;
    throw;
  }
}

// EINVAL: nftables' module is not loaded; EPROTONOSUPPORT: not even the socket's is.
bool is_without_nftables(const Failure& failure) {
  return failure.error() == EINVAL || failure.error() == EPROTONOSUPPORT;
}

std::string ruleset_generation() {
  Socket socket = Socket::open(NETLINK_NETFILTER);
  const auto netns = socket.netns_cookie();
  if (!netns) return "";
  Message request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0,
                  [] { return std::string("ask for the generation of the nftables rules"); });
  request.header<nfgenmsg>().nfgen_family = NFPROTO_UNSPEC;
  std::optional<std::uint32_t> generation;
  try {
    socket.execute(std::move(request), [&](const nlmsghdr& answer) {
      generation = parts_of<nfgenmsg>(answer).attributes.get(Attribute<std::uint32_t>{NFTA_GEN_ID});
    });
  } catch (const Failure&) {
    return "";  // the caller then reads the rules themselves
  }
  const auto boot = read_sysctl("kernel/random/boot_id");
  if (!generation || !boot) return "";
  return fmt::format("{} {} {}", *boot, *netns, be32toh(*generation));
}

std::string next_generation(const std::string& generation) {
  const auto number = generation.find_last_of(' ') + 1;
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(generation.data() + number, generation.data() + generation.size(), value);
  if (number == 0 || error != std::errc{}) return "";
  return generation.substr(0, number) + std::to_string(value + 1 != 0 ? value + 1 : 1);
}

}  // namespace onlink::nft
