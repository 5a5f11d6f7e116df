// SPDX-License-Identifier: Apache-2.0
#include "node/routes/cause.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace onlink::node {
namespace {

// Only a hint: a process may choose any port for its socket.
std::string name_of_process(std::uint32_t port) {
  if (port == 0 || port > INT32_MAX) return {};
  try {
    return std::string(trimmed(read_file(AT_FDCWD, fmt::format("/proc/{}/comm", port)).value_or("")));
  } catch (const Failure&) {
    return {};  // it has just ended
  }
}

std::string name_of_link(std::uint32_t index) {
  char name[IF_NAMESIZE] = {};
  return ::if_indextoname(index, name) != nullptr ? name : fmt::format("with index {}", index);
}

std::string describe(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto link = netlink::parse_link(message))
        return fmt::format("link {} {}", link->name,
                           message.nlmsg_type == RTM_DELLINK ? "deleted"
                           : link->up()                      ? "changed, up"
                                                             : "changed, down");
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const auto address = netlink::parse_address(message))
        return fmt::format("address {} on {} {}", address->prefix.to_string(), name_of_link(address->link),
                           message.nlmsg_type == RTM_DELADDR ? "deleted" : "added");
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      if (const auto route = netlink::parse_route(message))
        return fmt::format("route {} {}", netlink::to_string(*route, name_of_link(route->link)),
                           message.nlmsg_type == RTM_DELROUTE ? "deleted" : "added");
      break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return fmt::format("an entry of a tunnel {}",
                         message.nlmsg_type == RTM_DELNEIGH ? "deleted" : "changed");
    case RTM_NEWNETCONF:
      return "forwarding turned off";
    default:
      break;
  }
  return fmt::format("message of type {}", message.nlmsg_type);
}

}  // namespace

Cause cause_of(const nlmsghdr& message) {
  return {describe(message), message.nlmsg_pid, name_of_process(message.nlmsg_pid)};
}

std::optional<Cause> cause_of_transaction(const nlmsghdr& message) {
  if (message.nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN)) return std::nullopt;
  const auto attributes = netlink::parts_of<nfgenmsg>(message).attributes;
  Cause cause{"table inet onlink changed", message.nlmsg_pid, {}};
  cause.process = attributes.get(netlink::Attribute<std::string>{NFTA_GEN_PROC_NAME}).value_or("");
  return cause;
}

nlohmann::json print(const Cause& cause) {
  nlohmann::json document = {{"what", cause.what}};
  if (cause.port != 0) document["port"] = cause.port;
  if (!cause.process.empty()) document["process"] = cause.process;
  return document;
}

}  // namespace onlink::node
