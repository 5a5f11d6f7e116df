// SPDX-License-Identifier: Apache-2.0
// Reading a JSON configuration so that every problem is found in one pass and named by its path.
//
//   Problems problems;
//   JsonReader reader(document, problems);
//   const auto mtu = reader.integer("mtu", 0, 65535);            // nothing when absent or wrong
//   reader.child("ipam").text("type");
//   problems.throw_if_any("configuration of network onlink");    // one Failure that lists them all
//
// A reader is a view of one JSON object; absent keys and null give nothing (null is how Go writes an empty slice). A
// key is matched as Go's encoding/json matches a field: exactly, else ignoring case; containerd writes "Servers"
// where the convention has "servers", and people write "rangestart".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/ip.h"

namespace onlink {

// Invalid UTF-8 in a value is replaced, not thrown on: for values that go into messages and results.
std::string dump_json(const nlohmann::json& value, int indent = -1);

// Parses a document whose size the caller has bounded. Nesting deeper than 64, more than a million values,
// and anything that is not JSON give a Failure of kind not_json that says where and why.
nlohmann::json parse_json(std::string_view text, std::string_view name);
// The same for what people write: a key that one object has twice, ignoring case, is a Failure of kind not_json.
nlohmann::json parse_unambiguous_json(std::string_view text, std::string_view name);

class Problems {
 public:
  void add(std::string_view path, std::string_view reason);
  void add(std::string problem);  // once each; after the 50th, only "and more"
  bool empty() const noexcept { return list_.empty(); }
  const std::vector<std::string>& list() const noexcept { return list_; }
  // One Failure of kind configuration: "<what>: <path>: <reason>; <path>: <reason>".
  void throw_if_any(std::string_view what) const;

 private:
  std::vector<std::string> list_;
};

class JsonReader {
 public:
  // document must outlive the reader. Anything but an object or null is a problem; both read as an empty object.
  JsonReader(const nlohmann::json& document, Problems& problems, std::string path = "");

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const nlohmann::json* find(std::string_view key) const;  // null where absent or JSON null
  bool is_given(std::string_view key) const;               // also as JSON null
  std::string path(std::string_view key) const;            // "ipam.ranges" for key "ranges" of ipam
  void problem(std::string_view key, std::string_view reason) const { problems_->add(path(key), reason); }

  std::optional<std::string> text(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t lowest, std::int64_t highest) const;
  std::optional<IpAddress> address(std::string_view key) const;
  std::optional<IpAddress> address(std::string_view key, IpFamily family) const;
  // "" is none, as Go's net.IP writes it.
  std::optional<IpAddress> address_if_any(std::string_view key) const;
  std::optional<IpPrefix> prefix(std::string_view key) const;
  std::optional<IpPrefix> required_prefix(std::string_view key) const;
  std::optional<MacAddress> mac(std::string_view key) const;
  // Lists are compared entry by entry: more entries are a problem instead of a long wait.
  static constexpr std::size_t most_entries = 1000;
  std::vector<std::string> texts(std::string_view key, std::size_t limit = most_entries) const;

  // The object under key; an empty one where it is absent.
  JsonReader child(std::string_view key) const;
  // The objects of the array under key, with paths like "ipam.routes[2]".
  std::vector<JsonReader> children(std::string_view key, std::size_t limit = most_entries) const;
  // Every key that is not in the list is a problem: for documents that are ours alone.
  void allow_only(std::initializer_list<std::string_view> keys) const;
  // The paths of the keys that are not in the list.
  std::vector<std::string> unknown_keys(std::span<const std::string_view> known) const;

 private:
  nlohmann::json::const_iterator place_of(std::string_view key) const;  // document_ is not null
  bool has_room(std::string_view key, const nlohmann::json& array, std::size_t limit) const;

  const nlohmann::json* document_;  // null where absent
  Problems* problems_;
  std::string path_;
};

}  // namespace onlink
