// SPDX-License-Identifier: Apache-2.0
// Addresses as plain values: IPv4 and IPv6 addresses, prefixes, and link-layer addresses.
// Text follows inet_pton(3) and inet_ntop(3); no name is ever resolved.
#pragma once

#include <endian.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onlink {

enum class IpFamily : std::uint8_t { v4 = AF_INET, v6 = AF_INET6 };
// The size of an address.
constexpr std::uint32_t bytes_of(IpFamily family) { return family == IpFamily::v4 ? 4 : 16; }

// Addresses as numbers, for walking through ranges. IPv4 uses the low 32 bits.
__extension__ typedef unsigned __int128 IpNumber;

class IpAddress {
 public:
  // The address itself, without a prefix length or zone. IPv4-mapped IPv6 ("::ffff:10.0.0.1") becomes IPv4,
  // as in Go's net.IP, so that host-local and we name the same file.
  static std::optional<IpAddress> parse(std::string_view text);
  // bytes: 4 or 16, in network order.
  static IpAddress from_bytes(std::span<const std::uint8_t> bytes);
  static IpAddress from_number(IpFamily family, IpNumber number);

  IpFamily family() const noexcept { return family_; }
  bool is_v4() const noexcept { return family_ == IpFamily::v4; }
  unsigned bits() const noexcept { return 8 * bytes_of(family_); }
  std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), bytes_of(family_)}; }
  IpNumber number() const noexcept;
  // The next and the previous address; after the last comes the first.
  IpAddress next() const { return from_number(family_, number() + 1); }
  IpAddress previous() const { return from_number(family_, number() - 1); }
  bool is_unspecified() const noexcept { return number() == 0; }
  bool is_multicast() const noexcept;
  bool is_link_local() const noexcept;  // 169.254.0.0/16, fe80::/10
  std::string to_string() const;

  bool operator==(const IpAddress&) const = default;
  // IPv4 before IPv6, then by number.
  std::strong_ordering operator<=>(const IpAddress& other) const noexcept {
    if (const auto families = family_ <=> other.family_; families != 0) return families;
    const auto halves = half(0) <=> other.half(0);
    return halves != 0 ? halves : half(8) <=> other.half(8);
  }

 private:
  std::uint64_t half(std::size_t at) const noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes_.data() + at, sizeof number);
    return be64toh(number);
  }

  IpFamily family_ = IpFamily::v4;
  std::array<std::uint8_t, 16> bytes_{};
};

// An address with a prefix length. The address may have host bits: "10.10.0.2/24" stays what it is.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;

  // "address/length"; nothing else.
  static std::optional<IpPrefix> parse(std::string_view text);
  // The address alone: /32 or /128.
  static IpPrefix host(const IpAddress& address);
  // 0.0.0.0/0 or ::/0.
  static IpPrefix any(IpFamily family);

  IpFamily family() const noexcept { return address.family(); }
  bool is_host() const noexcept { return length == address.bits(); }
  IpPrefix network() const;  // the same prefix with its host bits cleared
  bool has_host_bits() const { return network().address != address; }
  IpAddress last() const;  // the highest address of the prefix
  bool contains(const IpAddress& other) const;
  bool contains(const IpPrefix& other) const { return other.length >= length && contains(other.address); }
  bool overlaps(const IpPrefix& other) const { return contains(other) || other.contains(*this); }
  std::string to_string() const;

  auto operator<=>(const IpPrefix&) const = default;
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  // Six pairs of hexadecimal digits with ':' between them.
  static std::optional<MacAddress> parse(std::string_view text);
  bool is_multicast() const noexcept { return (bytes[0] & 1u) != 0; }
  bool is_zero() const noexcept { return *this == MacAddress{}; }
  std::string to_string() const;  // lower case
  // The IPv6 link-local address that an interface with this MAC forms (RFC 4291, appendix A).
  IpAddress link_local() const;

  auto operator<=>(const MacAddress&) const = default;
};

// A block of addresses that no interface of a container can use, whatever the configuration says, and why.
struct Unusable {
  const char* block;
  const char* why;
};
// The first such block that has addresses from `first` to `last`; null where they can be used.
const Unusable* unusable_block(const IpAddress& first, const IpAddress& last);

}  // namespace onlink
