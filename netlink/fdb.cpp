// SPDX-License-Identifier: Apache-2.0
#include "netlink/fdb.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "netlink/attributes.h"
#include "netlink/link.h"

namespace onlink::netlink {
namespace {

Message about(const FdbEntry& entry, std::uint16_t type, std::uint16_t flags, const char* verb,
              const std::string& link_name) {
  Message message(type, flags, [=] {
    return fmt::format("{} forwarding entry {} dev {}", verb, entry.mac.to_string(), link_name);
  });
  auto& header = message.header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(entry.link);
  header.ndm_state = NUD_PERMANENT;
  header.ndm_flags = NTF_SELF;
  message.put(neighbour_mac, entry.mac);
  return message;
}

}  // namespace

Message set_fdb_entry(const FdbEntry& entry, const std::string& link_name) {
  Message message = about(entry, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "set", link_name);
  message.put(neighbour_address, entry.remote.value());
  return message;
}

Message delete_fdb_entry(const FdbEntry& entry, const std::string& link_name) {
  return about(entry, RTM_DELNEIGH, 0, "delete", link_name);
}

std::optional<FdbEntry> parse_fdb_entry(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNEIGH && message.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  const auto [header, attributes] = parts_of<ndmsg>(message);
  const auto mac = attributes.get(neighbour_mac);
  const auto has = [&attributes = attributes](std::uint16_t type) { return !attributes.bytes(type).empty(); };
  // Those of a bridge that the device is in have its index, too.
  if (header.ndm_family != AF_BRIDGE || !mac || has(NDA_MASTER)) return std::nullopt;
  FdbEntry entry{static_cast<std::uint32_t>(header.ndm_ifindex), *mac};
  // The kernel names these only where they are not the device's own (vxlan_fdb_info).
  if (!has(NDA_PORT) && !has(NDA_VNI) && !has(NDA_IFINDEX)) entry.remote = attributes.get(neighbour_address);
  return entry;
}

// A dump of this family is filtered by its header (net/core/rtnetlink.c, valid_fdb_dump_strict).
std::vector<FdbEntry> list_fdb(Socket& socket, std::uint32_t link) {
  Message request(RTM_GETNEIGH, 0, [link] { return "list forwarding entries" + of_interface(link); });
  auto& header = request.header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(link);
  auto entries = socket.dump<FdbEntry>(request, parse_fdb_entry);
  std::sort(entries.begin(), entries.end());
  std::vector<FdbEntry> by_mac;
  for (const FdbEntry& entry : entries)
    if (!by_mac.empty() && by_mac.back().mac == entry.mac)
      by_mac.back().remote.reset();
    else
      by_mac.push_back(entry);
  return by_mac;
}

}  // namespace onlink::netlink
