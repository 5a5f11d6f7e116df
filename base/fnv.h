// SPDX-License-Identifier: Apache-2.0
// FNV-1a with 64 bits: not for secrets; the same in every build and on every machine.
#pragma once

#include <cstdint>

namespace onlink {

// Of the bytes; or of them behind those that the hash is of.
template <class Bytes>
constexpr std::uint64_t fnv1a(const Bytes& bytes, std::uint64_t hash = 14695981039346656037u) noexcept {
  for (const auto byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  return hash;
}

}  // namespace onlink
