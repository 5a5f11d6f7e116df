// SPDX-License-Identifier: Apache-2.0
#include "base/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace onlink {
namespace {

using nlohmann::json;

constexpr int deepest_nesting = 64;
// Each takes up to 200 bytes of memory. The largest useful document, GC of 100,000 attachments, has 300,000.
constexpr int most_values = 1'000'000;
constexpr std::size_t most_problems = 50;

// ASCII only: no key has other letters.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string shown(const json& value) {
  std::string text = dump_json(value);
  constexpr std::size_t longest = 60;
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  return text;
}

// Why the parser must not see a text: it would accept what is not JSON, or a document whose destruction or
// printing recurses without bound, or whose values take many times the memory of the text.
std::string excess_of(std::string_view text) {
  // The parser takes a NUL for the end of the text.
  if (text.find('\0') != std::string_view::npos) return "has a NUL byte";
  int depth = 0;
  int values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == ',') {
      ++values;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > deepest_nesting) return fmt::format("nested deeper than {} levels", deepest_nesting);
    } else if (c == '}' || c == ']') {
      --depth;
    }
    if (values > most_values) return fmt::format("more than {} values", most_values);
  }
  return {};
}

}  // namespace

std::string dump_json(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

namespace {

// Finds a key that one object has twice, ignoring case. The library's parser callback could do it while the
// document is built, but rescans all of an array after each object in it.
class KeyCheck : public nlohmann::json_sax<json> {
 public:
  const std::optional<std::string>& twice() const { return twice_; }

  bool start_object(std::size_t) override {
    open_.emplace_back();
    return true;
  }
  bool end_object() override {
    open_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    std::string lowered = name;
    std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
    if (!open_.back().insert(std::move(lowered)).second) twice_ = name;
    return !twice_;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  std::vector<std::set<std::string>> open_;  // the keys of the objects that are open, in lower case
  std::optional<std::string> twice_;
};

}  // namespace

json parse_json(std::string_view text, std::string_view name) {
  if (const std::string excess = excess_of(text); !excess.empty())
    throw Failure(FailureKind::not_json, fmt::format("{}: {}", name, excess));
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    // The library's text starts with its own "[json.exception...] "; the rest says where and what.
    std::string_view reason = error.what();
    if (const auto bracket = reason.find("] "); bracket != std::string_view::npos)
      reason.remove_prefix(bracket + 2);
    // Then comes what it read last, which may be a password.
    reason = reason.substr(0, reason.find("; last read: "));
    throw Failure(FailureKind::not_json, fmt::format("{} is not JSON: {}", name, reason));
  }
}

json parse_unambiguous_json(std::string_view text, std::string_view name) {
  json document = parse_json(text, name);
  KeyCheck check;
  (void)json::sax_parse(text, &check);
  if (check.twice())
    throw Failure(FailureKind::not_json,
                  fmt::format("{}: key {} occurs twice in one object", name, dump_json(*check.twice())));
  return document;
}

void Problems::add(std::string_view path, std::string_view reason) {
  add(fmt::format("{}: {}", path, reason));
}

void Problems::add(std::string problem) {
  // Nobody reads on after that many, and a hostile document must not fill our memory. What is wrong with a section is
  // found by each of its readers.
  if (list_.size() > most_problems || std::find(list_.begin(), list_.end(), problem) != list_.end()) return;
  if (list_.size() == most_problems) problem = "and more";
  list_.push_back(std::move(problem));
}

void Problems::throw_if_any(std::string_view what) const {
  if (list_.empty()) return;
  throw Failure(FailureKind::configuration, fmt::format("{}: {}", what, fmt::join(list_, "; ")));
}

JsonReader::JsonReader(const json& document, Problems& problems, std::string path)
    : document_(&document), problems_(&problems), path_(std::move(path)) {
  if (document.is_object()) return;
  if (!document.is_null())
    problems.add(path_.empty() ? "(document)" : path_, "must be an object, not " + shown(document));
  document_ = nullptr;
}

json::const_iterator JsonReader::place_of(std::string_view key) const {
  auto found = document_->find(key);
  if (found != document_->end()) return found;
  for (found = document_->begin(); found != document_->end(); ++found)
    if (equal_ignoring_case(found.key(), key)) break;
  return found;
}

const json* JsonReader::find(std::string_view key) const {
  if (document_ == nullptr) return nullptr;
  const auto found = place_of(key);
  return found == document_->end() || found->is_null() ? nullptr : &*found;
}

bool JsonReader::is_given(std::string_view key) const {
  return document_ != nullptr && place_of(key) != document_->end();
}

std::string JsonReader::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

std::optional<std::string> JsonReader::text(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  problem(key, "must be a string, not " + shown(*value));
  return std::nullopt;
}

std::optional<bool> JsonReader::boolean(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  problem(key, "must be true or false, not " + shown(*value));
  return std::nullopt;
}

std::optional<std::int64_t> JsonReader::integer(std::string_view key, std::int64_t lowest,
                                                std::int64_t highest) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  // An unsigned value beyond int64 would read as negative.
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (fits) {
    const auto number = value->get<std::int64_t>();
    if (number >= lowest && number <= highest) return number;
  }
  problem(key, fmt::format("must be a whole number from {} to {}, not {}", lowest, highest, shown(*value)));
  return std::nullopt;
}

std::optional<IpAddress> JsonReader::address(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto address = IpAddress::parse(*value);
  if (!address) problem(key, fmt::format("must be an IP address, not \"{}\"", *value));
  return address;
}

std::optional<IpAddress> JsonReader::address(std::string_view key, IpFamily family) const {
  const auto value = address(key);
  if (!value || value->family() == family) return value;
  problem(key, fmt::format("must be an {} address, not {}", family == IpFamily::v4 ? "IPv4" : "IPv6",
                           value->to_string()));
  return std::nullopt;
}

std::optional<IpAddress> JsonReader::address_if_any(std::string_view key) const {
  const json* value = find(key);
  return value != nullptr && *value == "" ? std::nullopt : address(key);
}

std::optional<IpPrefix> JsonReader::prefix(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto prefix = IpPrefix::parse(*value);
  if (!prefix) problem(key, fmt::format("must be a subnet like 10.10.0.0/24, not \"{}\"", *value));
  return prefix;
}

std::optional<IpPrefix> JsonReader::required_prefix(std::string_view key) const {
  if (!has(key)) problem(key, "is missing");
  return prefix(key);
}

std::optional<MacAddress> JsonReader::mac(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto mac = MacAddress::parse(*value);
  if (!mac) problem(key, fmt::format("must be a MAC address like 0a:58:0a:0a:00:02, not \"{}\"", *value));
  return mac;
}

std::vector<std::string> JsonReader::texts(std::string_view key, std::size_t limit) const {
  std::vector<std::string> values;
  const json* array = find(key);
  if (array == nullptr) return values;
  if (!array->is_array() ||
      !std::all_of(array->begin(), array->end(), [](const json& item) { return item.is_string(); })) {
    problem(key, "must be an array of strings, not " + shown(*array));
    return values;
  }
  if (!has_room(key, *array, limit)) return values;
  for (const json& item : *array) values.push_back(item.get<std::string>());
  return values;
}

JsonReader JsonReader::child(std::string_view key) const {
  static const json absent;
  const json* value = find(key);
  return JsonReader(value != nullptr ? *value : absent, *problems_, path(key));
}

bool JsonReader::has_room(std::string_view key, const json& array, std::size_t limit) const {
  if (array.size() <= limit) return true;
  problem(key, fmt::format("has {} entries; at most {} are allowed", array.size(), limit));
  return false;
}

std::vector<JsonReader> JsonReader::children(std::string_view key, std::size_t limit) const {
  std::vector<JsonReader> readers;
  const json* array = find(key);
  if (array == nullptr) return readers;
  if (!array->is_array()) {
    problem(key, "must be an array, not " + shown(*array));
    return readers;
  }
  if (!has_room(key, *array, limit)) return readers;
  for (std::size_t i = 0; i < array->size(); ++i)
    readers.emplace_back((*array)[i], *problems_, fmt::format("{}[{}]", path(key), i));
  return readers;
}

std::vector<std::string> JsonReader::unknown_keys(std::span<const std::string_view> known) const {
  std::vector<std::string> unknown;
  if (document_ == nullptr) return unknown;
  for (const auto& [key, value] : document_->items())
    if (std::none_of(known.begin(), known.end(),
                     [&key = key](std::string_view name) { return equal_ignoring_case(name, key); }))
      unknown.push_back(path(key));
  return unknown;
}

void JsonReader::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const std::string& key : unknown_keys({keys.begin(), keys.size()})) problems_->add(key, "unknown key");
}

}  // namespace onlink
