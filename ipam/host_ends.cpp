// SPDX-License-Identifier: Apache-2.0
#include "ipam/host_ends.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <set>
#include <string_view>

#include "base/failure.h"
#include "base/text.h"
#include "netlink/link.h"
#include "netlink/socket.h"

namespace onlink::ipam {

std::string NamedHostEnds::home() const {
  struct stat status {};
  if (::stat("/proc/self/ns/net", &status) != 0) throw system_failure("stat /proc/self/ns/net");
  return fmt::format("{}:{}", status.st_dev, status.st_ino);
}

// An alias is "onlink <network> <container> <ifname>". A container has one interface of a name, of whatever network.
std::vector<bool> NamedHostEnds::exist(std::span<const Suspect> suspects) {
  const auto key = [](std::string_view container_id, std::string_view ifname) {
    return fmt::format("{} {}", container_id, ifname);
  };
  std::set<std::string> found;
  auto socket = netlink::Socket::open();
  for (const netlink::Link& link : netlink::list_links(socket, "veth")) {
    found.insert(link.name);
    const auto words = split(link.alias);
    if (words.size() == 4 && link.alias.starts_with(netlink::host_end_alias))
      found.insert(key(words[2], words[3]));
  }
  std::vector<bool> exist;
  for (const auto& [owner, interface] : suspects)
    exist.push_back(found.contains(interface) || found.contains(key(owner.container_id, owner.ifname)));
  return exist;
}

}  // namespace onlink::ipam
