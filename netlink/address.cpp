// SPDX-License-Identifier: Apache-2.0
#include "netlink/address.h"

#include <fmt/format.h>

#include <cerrno>

#include "netlink/attributes.h"
#include "netlink/link.h"

namespace onlink::netlink {
namespace {

Message address_message(std::uint16_t type, std::uint16_t flags, const char* verb, const Address& address,
                        const std::string& link_name) {
  Message message(type, flags, [verb, prefix = address.prefix, link_name] {
    return fmt::format("{} address {} dev {}", verb, prefix.to_string(), link_name);
  });
  auto& header = message.header<ifaddrmsg>();
  header.ifa_family = static_cast<std::uint8_t>(address.prefix.family());
  header.ifa_prefixlen = address.prefix.length;
  header.ifa_scope = address.scope;
  header.ifa_index = address.link;
  message.put(address_local, address.prefix.address);
  message.put(address_address, address.prefix.address);
  return message;
}

}  // namespace

Message add_address(const Address& address, const std::string& link_name) {
  Message message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "add", address, link_name);
  const std::uint32_t flags = address.flags | (address.prefix.family() == IpFamily::v6 ? IFA_F_NODAD : 0u);
  if (flags != 0) message.put(address_flags, flags);
  return message;
}

Message delete_address(const Address& address, const std::string& link_name) {
  return address_message(RTM_DELADDR, 0, "delete", address, link_name);
}

std::optional<Address> parse_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return std::nullopt;
  const auto [header, attributes] = parts_of<ifaddrmsg>(message);
  // IFA_ADDRESS is the other end's on a point-to-point link; IFA_LOCAL, where given, is ours.
  auto own = attributes.get(address_local);
  if (!own) own = attributes.get(address_address);
  if (!own || header.ifa_prefixlen > own->bits()) return std::nullopt;
  return Address{header.ifa_index,
                 {*own, header.ifa_prefixlen},
                 attributes.get(address_flags).value_or(header.ifa_flags),
                 header.ifa_scope};
}

std::vector<Address> list_addresses(Socket& socket, std::uint32_t link) {
  Message request(RTM_GETADDR, 0, [link] { return "list addresses" + of_interface(link); });
  request.header<ifaddrmsg>().ifa_index = link;
  return socket.dump<Address>(request, parse_address);
}

std::vector<Address> list_addresses_in(Socket& socket, std::int32_t netns, std::uint32_t link) {
  Message request(RTM_GETADDR, 0, [link] { return "list addresses of the other end" + of_interface(link); });
  request.header<ifaddrmsg>().ifa_index = link;
  request.put(address_target_netns, netns);
  try {
    return socket.dump<Address>(request, parse_address);
  } catch (const Failure& failure) {
    if (failure.error() != EINVAL && failure.error() != ENODEV && failure.error() != EINTR) throw;
    return {};
  }
}

}  // namespace onlink::netlink
