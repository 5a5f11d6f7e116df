// SPDX-License-Identifier: Apache-2.0
#include "netlink/fdb.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "netlink/attributes.h"
#include "netlink/link.h"

namespace onlink::netlink {
namespace {

Message about(const FdbEntry& entry, std::uint16_t type, std::uint16_t flags, const char* verb,
              const std::string& link_name) {
  Message message(type, flags, [=] {
    return fmt::format("{} forwarding entry {} dev {} dst {}", verb, entry.mac.to_string(), link_name,
                       entry.remote.to_string());
  });
  auto& header = message.header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(entry.link);
  header.ndm_state = NUD_PERMANENT;
  header.ndm_flags = NTF_SELF;
  message.put(neighbour_mac, entry.mac);
  message.put(neighbour_address, entry.remote);
  return message;
}

}  // namespace

Message set_fdb_entry(const FdbEntry& entry, const std::string& link_name) {
  return about(entry, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "set", link_name);
}

Message delete_fdb_entry(const FdbEntry& entry, const std::string& link_name) {
  return about(entry, RTM_DELNEIGH, 0, "delete", link_name);
}

std::optional<FdbEntry> parse_fdb_entry(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNEIGH && message.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  const ndmsg* header = nullptr;
  const auto attributes = Attributes::of(message, header);
  const auto mac = attributes.get(neighbour_mac);
  const auto remote = attributes.get(neighbour_address);
  if (header->ndm_family != AF_BRIDGE || !mac || !remote) return std::nullopt;
  return FdbEntry{static_cast<std::uint32_t>(header->ndm_ifindex), *mac, *remote};
}

// A dump of this family is filtered by its header (net/core/rtnetlink.c, valid_fdb_dump_strict).
std::vector<FdbEntry> list_fdb(Socket& socket, std::uint32_t link) {
  Message request(RTM_GETNEIGH, 0, [link] { return "list forwarding entries" + of_interface(link); });
  auto& header = request.header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(link);
  return socket.dump<FdbEntry>(request, parse_fdb_entry);
}

}  // namespace onlink::netlink
