// SPDX-License-Identifier: Apache-2.0
#include "cni/version.h"

#include <fmt/format.h>

#include <charconv>

namespace onlink::cni {

std::optional<Version> Version::parse(std::string_view text) {
  Version version;
  const char* next = text.data();
  const char* const end = next + text.size();
  for (int* part : {&version.major, &version.minor, &version.patch}) {
    if (part != &version.major && (next == end || *next++ != '.')) return std::nullopt;
    if (next == end || *next == '-') return std::nullopt;  // from_chars would take "-1"
    const auto [stop, error] = std::from_chars(next, end, *part);
    if (error != std::errc()) return std::nullopt;
    next = stop;
  }
  if (next != end) return std::nullopt;
  return version;
}

std::string Version::to_string() const { return fmt::format("{}.{}.{}", major, minor, patch); }

}  // namespace onlink::cni
