// SPDX-License-Identifier: Apache-2.0
// Versions of the CNI specification.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace onlink::cni {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;

  static std::optional<Version> parse(std::string_view text);  // "1.1.0"
  std::string to_string() const;
  auto operator<=>(const Version&) const = default;
};

// What onlink speaks, oldest first. A configuration without cniVersion means the first.
inline constexpr std::array<Version, 7> supported_versions = {
    {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 3, 1}, {0, 4, 0}, {1, 0, 0}, {1, 1, 0}}};
inline constexpr Version oldest_version = supported_versions.front();
inline constexpr Version newest_version = supported_versions.back();

constexpr bool is_supported(const Version& version) {
  for (const Version& supported : supported_versions)
    if (version == supported) return true;
  return false;
}

}  // namespace onlink::cni
