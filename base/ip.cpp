// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace onlink {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// All ones in the host part of a prefix.
IpNumber host_mask(const IpPrefix& prefix) {
  const unsigned host_bits = prefix.address.bits() - prefix.length;
  return host_bits == 128 ? ~IpNumber{0} : (IpNumber{1} << host_bits) - 1;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return from_bytes({bytes.data(), 4});
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  if (std::equal(v4_mapped.begin(), v4_mapped.end(), bytes.begin()))
    return from_bytes({bytes.data() + 12, 4});
  return from_bytes(bytes);
}

IpAddress IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  IpAddress address;
  address.family_ = bytes.size() == 4 ? IpFamily::v4 : IpFamily::v6;
  std::copy_n(bytes.begin(), std::min(bytes.size(), address.bytes_.size()), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::from_number(IpFamily family, IpNumber number) {
  IpAddress address;
  address.family_ = family;
  for (std::size_t i = address.bits() / 8; i-- > 0; number >>= 8)
    address.bytes_[i] = static_cast<std::uint8_t>(number & 0xff);
  return address;
}

IpNumber IpAddress::number() const noexcept {
  IpNumber number = 0;
  for (const std::uint8_t byte : bytes()) number = number << 8 | byte;
  return number;
}

bool IpAddress::is_multicast() const noexcept {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const noexcept {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  // inet_ntop(3) uses sprintf, which dominates the run time with thousands of addresses.
  if (is_v4()) return fmt::format("{}.{}.{}.{}", bytes_[0], bytes_[1], bytes_[2], bytes_[3]);
  // The one form that inet_ntop(3) ends in an IPv4 address and Go's net.IP does not. Addresses are file names
  // that we share with host-local.
  if (number() >> 32 == 0 && number() >> 16 != 0)
    return fmt::format("::{:x}:{:x}", bytes_[12] << 8 | bytes_[13], bytes_[14] << 8 | bytes_[15]);
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(static_cast<int>(family_), bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  // "::ffff:10.0.0.0/104" would need the length of the IPv6 form; nobody means it.
  if (!address || (address->is_v4() && text.find(':') != std::string_view::npos)) return std::nullopt;
  const auto length = to_number<unsigned>(digits);
  if (!length || *length > address->bits()) return std::nullopt;
  return IpPrefix{*address, static_cast<std::uint8_t>(*length)};
}

IpPrefix IpPrefix::host(const IpAddress& address) {
  return {address, static_cast<std::uint8_t>(address.bits())};
}

IpPrefix IpPrefix::any(IpFamily family) { return {IpAddress::from_number(family, 0), 0}; }

IpPrefix IpPrefix::network() const {
  return {IpAddress::from_number(family(), address.number() & ~host_mask(*this)), length};
}

IpAddress IpPrefix::last() const {
  return IpAddress::from_number(family(), address.number() | host_mask(*this));
}

bool IpPrefix::contains(const IpAddress& other) const {
  return other.family() == family() && ((other.number() ^ address.number()) & ~host_mask(*this)) == 0;
}

std::string IpPrefix::to_string() const { return fmt::format("{}/{}", address.to_string(), length); }

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* pair = text.data() + 3 * i;
    if (i < 5 && pair[2] != ':') return std::nullopt;
    const auto [end, error] = std::from_chars(pair, pair + 2, mac.bytes[i], 16);
    if (error != std::errc{} || end != pair + 2) return std::nullopt;
  }
  return mac;
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3],
                     bytes[4], bytes[5]);
}

IpAddress MacAddress::link_local() const {
  const std::array<std::uint8_t, 16> address = {0xfe,     0x80,     0,
                                                0,        0,        0,
                                                0,        0,        static_cast<std::uint8_t>(bytes[0] ^ 2u),
                                                bytes[1], bytes[2], 0xff,
                                                0xfe,     bytes[3], bytes[4],
                                                bytes[5]};
  return IpAddress::from_bytes(address);
}

const Unusable* unusable_block(const IpAddress& first, const IpAddress& last) {
  // 240.0.0.0/4 works on Linux, except the last.
  static constexpr std::array unusable{Unusable{"0.0.0.0/8", "this network"},
                                       Unusable{"127.0.0.0/8", "every namespace's own loopback"},
                                       Unusable{"224.0.0.0/4", "multicast"},
                                       Unusable{"255.255.255.255/32", "broadcast"},
                                       Unusable{"::/127", "no address, and loopback"},
                                       Unusable{"fe80::/10", "link-local"},
                                       Unusable{"ff00::/8", "multicast"}};
  for (const Unusable& each : unusable) {
    const IpPrefix block = IpPrefix::parse(each.block).value();
    if (block.family() == first.family() && block.address <= last && first <= block.last()) return &each;
  }
  return nullptr;
}

}  // namespace onlink
