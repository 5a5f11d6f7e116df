// SPDX-License-Identifier: Apache-2.0
#include "cni/error.h"

#include <array>
#include <optional>
#include <utility>

#include "base/json_reader.h"

namespace onlink::cni {
namespace {

using nlohmann::json;

constexpr unsigned internal_code = 100;
constexpr unsigned unavailable_code = 50;

constexpr std::array<std::pair<FailureKind, unsigned>, 13> codes{{
    {FailureKind::incompatible_version, 1},
    {FailureKind::unsupported_field, 2},
    {FailureKind::container_unknown, 3},
    {FailureKind::environment, 4},
    {FailureKind::unreadable_input, 5},
    {FailureKind::not_json, 6},
    {FailureKind::configuration, 7},
    {FailureKind::try_again, 11},
    {FailureKind::unavailable, unavailable_code},
    {FailureKind::limited_connectivity, 51},
    {FailureKind::internal, internal_code},
    {FailureKind::not_as_attached, 101},
    {FailureKind::no_addresses, 102},
}};

FailureKind kind_of(unsigned code) {
  for (const auto& [kind, known] : codes)
    if (code == known && code < internal_code) return kind;  // from 100 on, the plugin defines the code
  return FailureKind::internal;
}

}  // namespace

PluginFailure::PluginFailure(unsigned code, std::string message)
    : Failure(kind_of(code), std::move(message)), code_(code) {}

unsigned error_code(const Failure& failure) {
  if (const auto* reported = dynamic_cast<const PluginFailure*>(&failure)) return reported->code();
  for (const auto& [kind, code] : codes)
    if (failure.kind() == kind) return code;
  return internal_code;
}

unsigned status_error_code(const Failure& failure) {
  switch (failure.kind()) {
    case FailureKind::container_unknown:
    case FailureKind::configuration:
    case FailureKind::internal:
    case FailureKind::not_as_attached:
    case FailureKind::no_addresses:
      return unavailable_code;
    default:
      return error_code(failure);
  }
}

json error_document(const Version& version, unsigned code, std::string_view message) {
  const auto line = message.find('\n');
  json document{
      {"cniVersion", version.to_string()}, {"code", code}, {"msg", std::string(message.substr(0, line))}};
  if (line != std::string_view::npos) document["details"] = std::string(message.substr(line + 1));
  return document;
}

std::optional<PluginFailure> parse_error(std::string_view text) {
  try {
    const json document = parse_json(text, "error document");
    Problems problems;
    const JsonReader reader(document, problems);
    const auto code = reader.integer("code", 0, INT32_MAX);
    auto message = reader.text("msg");
    const auto details = reader.text("details");
    if (!code || !message || !problems.empty()) return std::nullopt;
    if (details && !details->empty()) *message += "\n" + *details;
    // libcni knows a code 0 (unknown), but an error document of ours always has a code.
    return PluginFailure(*code == 0 ? internal_code : static_cast<unsigned>(*code), std::move(*message));
  } catch (const Failure&) {
    return std::nullopt;
  }
}

}  // namespace onlink::cni
