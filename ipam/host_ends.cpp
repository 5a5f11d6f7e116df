// SPDX-License-Identifier: Apache-2.0
#include "ipam/host_ends.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>

#include "base/failure.h"

namespace onlink::ipam {

std::string NamedHostEnds::home() const {
  struct stat status {};
  if (::stat("/proc/self/ns/net", &status) != 0) throw system_failure("stat /proc/self/ns/net");
  return fmt::format("{}:{}", status.st_dev, status.st_ino);
}

std::vector<bool> NamedHostEnds::exist(std::span<const Suspect> suspects) {
  std::vector<bool> exist;
  for (const Suspect& suspect : suspects) exist.push_back(::if_nametoindex(suspect.interface.c_str()) != 0);
  return exist;
}

}  // namespace onlink::ipam
