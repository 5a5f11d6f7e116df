// SPDX-License-Identifier: Apache-2.0
// One netlink message: built with typed attributes, read with typed attributes.
//
// An attribute's type is part of its declaration (see attributes.h), so a 16-bit value cannot be put into a
// 32-bit attribute, and a value of another size than declared reads as absent (include/uapi/linux/netlink.h).
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/failure.h"
#include "base/ip.h"

namespace onlink::netlink {

struct Nested {};  // the type of an attribute that holds attributes
struct Bytes {};   // of one without a fixed size or meaning

template <class T>
struct Attribute {
  std::uint16_t type;
};

class Message {
 public:
  // Describes the attempt, for the start of every error about it ("add route 10.10.0.2/32 dev onl1"). Called
  // only for an error: describing every success would be a tenth of an ADD's instructions.
  using Words = std::function<std::string()>;
  Message(std::uint16_t type, std::uint16_t flags, Words what);
  // A question about one object (RTM_GETLINK): the kernel answers with the object or with an error.
  static Message question(std::uint16_t type, Words what);

  // The fixed header of the message's type, zeroed: call it before any attribute. Also of a nested attribute that has
  // one (VETH_INFO_PEER: struct ifinfomsg), inside nest().
  template <class Header>
  Header& header() {
    static_assert(std::is_trivial_v<Header>);
    return *static_cast<Header*>(extra_header(sizeof(Header)));
  }

  template <class T>
  requires std::is_arithmetic_v<T>
  void put(Attribute<T> attribute, std::type_identity_t<T> value) {
    put_bytes(attribute.type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  void put(Attribute<std::string> attribute, const std::string& value);  // with its terminating NUL
  void put(Attribute<IpAddress> attribute, const IpAddress& value) {
    put_bytes(attribute.type, value.bytes());
  }
  void put(Attribute<Bytes> attribute, std::span<const std::uint8_t> value) {
    put_bytes(attribute.type, value);
  }
  void put(Attribute<MacAddress> attribute, const MacAddress& value) {
    put_bytes(attribute.type, value.bytes);
  }

  // Attributes put by `fill` go inside.
  template <class Fill>
  void nest(Attribute<Nested> attribute, Fill&& fill) {
    nlattr* start = begin_nest(attribute.type);
    fill();
    mnl_attr_nest_end(raw(), start);
  }

  // Our own words for errnos where the kernel's extended ack is missing or misleading. Kept by reference:
  // pass constants.
  struct Explanation {
    int error;
    const char* words;
  };
  Message&& explain(std::span<const Explanation> explanations) &&;

  nlmsghdr* raw() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }
  const nlmsghdr* raw() const { return reinterpret_cast<const nlmsghdr*>(buffer_.data()); }
  std::string what() const { return what_(); }
  bool is_question() const { return is_question_; }
  // The kernel refused this message: what was attempted, why in words, and the errno name.
  Failure refusal(int error, std::string_view extended_ack) const;

 private:
  static constexpr std::size_t capacity = 1024;  // the largest of ours, a new veth pair, takes about 350

  void* extra_header(std::size_t size);
  nlattr* begin_nest(std::uint16_t type);
  void put_bytes(std::uint16_t type, std::span<const std::uint8_t> bytes);
  void require(std::size_t size) const;  // throws where the message would outgrow its buffer

  alignas(nlmsghdr) std::array<char, capacity> buffer_;
  Words what_;
  bool is_question_ = false;
  std::span<const Explanation> explanations_;
};

// What follows a message's own header; at least that many bytes, else it throws Failure.
const void* payload_of(const nlmsghdr& message, std::size_t size);

// The attributes of a received message, or of a nested attribute. Views into the receive buffer.
class Attributes {
 public:
  // Behind a fixed header of this size.
  static Attributes after(const nlmsghdr& message, std::size_t header_size);
  explicit Attributes(std::span<const std::uint8_t> area) : area_(area) {}
  bool empty() const { return area_.empty(); }  // also those of a nested attribute that is absent

  template <class T>
  requires std::is_arithmetic_v<T> std::optional<T> get(Attribute<T> attribute)
  const {
    const nlattr* found = find(attribute.type);
    if (found == nullptr || mnl_attr_get_payload_len(found) != sizeof(T)) return std::nullopt;
    T value;
    __builtin_memcpy(&value, mnl_attr_get_payload(found), sizeof value);
    return value;
  }
  std::optional<std::string> get(Attribute<std::string> attribute) const;
  std::optional<IpAddress> get(Attribute<IpAddress> attribute) const;
  std::optional<MacAddress> get(Attribute<MacAddress> attribute) const;
  Attributes get(Attribute<Nested> attribute) const { return Attributes(bytes(attribute.type)); }
  std::span<const std::uint8_t> bytes(std::uint16_t type) const;  // empty where absent
  // The elements of an attribute that holds a list of nested attributes.
  std::vector<Attributes> list(Attribute<Nested> attribute) const;
  std::string text() const;  // of an element that is no list, but a text

 private:
  const nlattr* find(std::uint16_t type) const;

  std::span<const std::uint8_t> area_;
};

// A received message: the fixed header of its type, and the attributes behind it. Throws Failure where it is too short.
template <class Header>
struct Parts {
  const Header& header;
  Attributes attributes;
};
template <class Header>
Parts<Header> parts_of(const nlmsghdr& message) {
  return {*static_cast<const Header*>(payload_of(message, sizeof(Header))),
          Attributes::after(message, sizeof(Header))};
}

}  // namespace onlink::netlink
