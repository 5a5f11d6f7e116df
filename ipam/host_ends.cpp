// SPDX-License-Identifier: Apache-2.0
#include "ipam/host_ends.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <optional>
#include <set>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"

namespace onlink::ipam {

std::string NamedHostEnds::home() const {
  struct stat status {};
  if (::stat("/proc/self/ns/net", &status) != 0) throw system_failure("stat /proc/self/ns/net");
  return fmt::format("{}:{}", status.st_dev, status.st_ino);
}

namespace {

// "<container> <ifname>" of every attachment, from aliases "onlink <network> <container> <ifname>". A container has
// one interface of a name, of whatever network.
std::set<std::string> read_aliases() {
  const std::string path = "/sys/class/net";
  const UniqueFd folder = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  std::set<std::string> owners;
  for (const std::string& name : names_in(folder.get(), path)) {
    const UniqueFd file = try_open(folder.get(), (name + "/ifalias").c_str(), O_RDONLY);
    std::array<char, 256> alias{};  // IFALIASZ
    const ssize_t size = file ? ::read(file.get(), alias.data(), alias.size()) : -1;
    if (size <= 0) continue;  // no interface, or gone by now
    const auto words = split({alias.data(), static_cast<std::size_t>(size)});
    if (words.size() == 4 && words[0] == "onlink") owners.insert(fmt::format("{} {}", words[2], words[3]));
  }
  return owners;
}

}  // namespace

std::vector<bool> NamedHostEnds::exist(std::span<const Suspect> suspects) {
  std::optional<std::set<std::string>> aliases;
  const auto is_renamed = [&](const cni::Attachment& owner) {
    if (!aliases) aliases = read_aliases();
    return aliases->contains(fmt::format("{} {}", owner.container_id, owner.ifname));
  };
  std::vector<bool> exist;
  for (const auto& [owner, interface] : suspects)
    exist.push_back(::if_nametoindex(interface.c_str()) != 0 || is_renamed(owner));
  return exist;
}

}  // namespace onlink::ipam
