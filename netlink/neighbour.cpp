// SPDX-License-Identifier: Apache-2.0
#include "netlink/neighbour.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "netlink/attributes.h"
#include "netlink/link.h"

namespace onlink::netlink {
namespace {

ndmsg& put_key(Message& message, std::uint32_t link, const IpAddress& address) {
  auto& header = message.header<ndmsg>();
  header.ndm_family = static_cast<std::uint8_t>(address.family());
  header.ndm_ifindex = static_cast<int>(link);
  message.put(neighbour_address, address);
  return header;
}

bool is_silent(const ndmsg& header, const Attributes& attributes) {
  if ((header.ndm_state & NUD_FAILED) != 0) return true;
  const auto bytes = attributes.bytes(NDA_CACHEINFO);
  nda_cacheinfo times{};
  if ((header.ndm_state & NUD_INCOMPLETE) == 0 || bytes.size() < sizeof times) return false;
  std::memcpy(&times, bytes.data(), sizeof times);
  return 10 * static_cast<long>(times.ndm_updated) >= ::sysconf(_SC_CLK_TCK);  // a tenth of a second
}

bool is_missing(const Failure& refusal) { return refusal.missing(); }

}  // namespace

Message add_neighbour(const Neighbour& neighbour, const std::string& link_name) {
  const bool has_mac = neighbour.state != NUD_NONE;
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, [neighbour, link_name, has_mac] {
    return fmt::format("add neighbour {}{} dev {}", neighbour.address.to_string(),
                       has_mac ? " lladdr " + neighbour.mac.to_string() : "", link_name);
  });
  auto& header = put_key(message, neighbour.link, neighbour.address);
  header.ndm_state = neighbour.state;
  header.ndm_flags = neighbour.flags;
  if (has_mac) message.put(neighbour_mac, neighbour.mac);
  return message;
}

Message delete_neighbour(const Neighbour& neighbour, const std::string& link_name) {
  Message message(RTM_DELNEIGH, 0, [neighbour, link_name] {
    return fmt::format("delete neighbour {} dev {}", neighbour.address.to_string(), link_name);
  });
  (void)put_key(message, neighbour.link, neighbour.address);
  return message;
}

std::optional<Neighbour> parse_neighbour(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNEIGH && message.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  const auto [header, attributes] = parts_of<ndmsg>(message);
  const auto address = attributes.get(neighbour_address);
  if (!address) return std::nullopt;
  return Neighbour{static_cast<std::uint32_t>(header.ndm_ifindex),
                   *address,
                   attributes.get(neighbour_mac).value_or(MacAddress{}),
                   header.ndm_state,
                   header.ndm_flags,
                   is_silent(header, attributes)};
}

std::optional<Neighbour> find_neighbour(Socket& socket, std::uint32_t link, const IpAddress& address) {
  Message request =
      Message::question(RTM_GETNEIGH, [address] { return "look up neighbour " + address.to_string(); });
  (void)put_key(request, link, address);
  return socket.find(std::move(request), parse_neighbour, is_missing);
}

std::vector<Neighbour> list_neighbours(Socket& socket, std::uint32_t link) {
  Message request(RTM_GETNEIGH, 0, [link] { return "list neighbours" + of_interface(link); });
  (void)request.header<ndmsg>();
  if (link != 0) request.put(neighbour_interface, link);
  return socket.dump<Neighbour>(request, parse_neighbour);
}

}  // namespace onlink::netlink
