// SPDX-License-Identifier: Apache-2.0
#include "netlink/message.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>
#include <vector>

namespace onlink::netlink {

Message::Message(std::uint16_t type, std::uint16_t flags, Words what) : what_(std::move(what)) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer_.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

Message Message::question(std::uint16_t type, Words what) {
  Message message(type, 0, std::move(what));
  message.is_question_ = true;
  return message;
}

void Message::require(std::size_t size) const {
  if (raw()->nlmsg_len + MNL_ALIGN(size) > capacity)
    throw Failure(fmt::format("{}: the request is larger than {} bytes", what(), capacity));
}

void* Message::extra_header(std::size_t size) {
  require(size);
  return mnl_nlmsg_put_extra_header(raw(), size);
}

nlattr* Message::begin_nest(std::uint16_t type) {
  require(sizeof(nlattr));
  return mnl_attr_nest_start(raw(), type);
}

void Message::put_bytes(std::uint16_t type, std::span<const std::uint8_t> bytes) {
  require(sizeof(nlattr) + bytes.size());
  mnl_attr_put(raw(), type, bytes.size(), bytes.data());
}

void Message::put(Attribute<std::string> attribute, const std::string& value) {
  put_bytes(attribute.type, {reinterpret_cast<const std::uint8_t*>(value.c_str()), value.size() + 1});
}

Message&& Message::explain(std::span<const Explanation> explanations) && {
  explanations_ = explanations;
  return std::move(*this);
}

Failure Message::refusal(int error, std::string_view extended_ack) const {
  std::string words(extended_ack);
  for (const auto& [number, explanation] : explanations_)
    if (number == error) words = words.empty() ? explanation : fmt::format("{} ({})", explanation, words);
  if (words.empty()) return system_failure(what(), error);
  return Failure(fmt::format("{}: {} ({})", what(), words, errno_name(error)), error);
}

const void* payload_of(const nlmsghdr& message, std::size_t size) {
  if (mnl_nlmsg_get_payload_len(&message) < size) throw Failure("netlink answer shorter than its header");
  return mnl_nlmsg_get_payload(&message);
}

Attributes Attributes::after(const nlmsghdr& message, std::size_t header_size) {
  const auto* payload = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(&message));
  const std::size_t length = mnl_nlmsg_get_payload_len(&message);
  const std::size_t skip = MNL_ALIGN(header_size);
  return Attributes(skip < length ? std::span(payload + skip, length - skip)
                                  : std::span<const std::uint8_t>());
}

const nlattr* Attributes::find(std::uint16_t type) const {
  const auto* attribute = reinterpret_cast<const nlattr*>(area_.data());
  auto left = static_cast<int>(area_.size());
  while (mnl_attr_ok(attribute, left)) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
    left -= static_cast<int>(MNL_ALIGN(attribute->nla_len));
    attribute = mnl_attr_next(attribute);
  }
  return nullptr;
}

std::span<const std::uint8_t> Attributes::bytes(std::uint16_t type) const {
  const nlattr* found = find(type);
  if (found == nullptr) return {};
  return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(found)), mnl_attr_get_payload_len(found)};
}

std::optional<std::string> Attributes::get(Attribute<std::string> attribute) const {
  const auto payload = bytes(attribute.type);
  if (payload.empty()) return std::nullopt;
  return Attributes(payload).text();
}

std::string Attributes::text() const {
  const auto* text = reinterpret_cast<const char*>(area_.data());
  return {text, strnlen(text, area_.size())};
}

std::optional<IpAddress> Attributes::get(Attribute<IpAddress> attribute) const {
  const auto payload = bytes(attribute.type);
  if (payload.size() != 4 && payload.size() != 16) return std::nullopt;
  return IpAddress::from_bytes(payload);
}

std::optional<MacAddress> Attributes::get(Attribute<MacAddress> attribute) const {
  const auto payload = bytes(attribute.type);
  MacAddress mac;
  if (payload.size() != mac.bytes.size()) return std::nullopt;
  std::memcpy(mac.bytes.data(), payload.data(), payload.size());
  return mac;
}

std::vector<Attributes> Attributes::list(Attribute<Nested> attribute) const {
  std::vector<Attributes> items;
  const auto area = bytes(attribute.type);
  const auto* item = reinterpret_cast<const nlattr*>(area.data());
  auto left = static_cast<int>(area.size());
  for (; mnl_attr_ok(item, left); item = mnl_attr_next(item)) {
    items.push_back(Attributes(
        {static_cast<const std::uint8_t*>(mnl_attr_get_payload(item)), mnl_attr_get_payload_len(item)}));
    left -= static_cast<int>(MNL_ALIGN(item->nla_len));
  }
  return items;
}

}  // namespace onlink::netlink
