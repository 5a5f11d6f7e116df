// SPDX-License-Identifier: Apache-2.0
#include "cni/names.h"

#include <fmt/format.h>
#include <limits.h>
#include <net/if.h>

#include <algorithm>

#include "base/text.h"

namespace onlink::cni {
namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string longer_than(std::size_t limit) { return fmt::format("is longer than {} bytes", limit); }

}  // namespace

std::optional<std::string> problem_of_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > NAME_MAX) return longer_than(NAME_MAX);
  const bool good = is_alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), [](char c) {
                      return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
                    });
  if (good) return std::nullopt;
  return fmt::format("\"{}\" must be a letter or digit, then letters, digits, '_', '.' and '-'", name);
}

std::optional<std::string> problem_of_ifname(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() >= IFNAMSIZ)
    return fmt::format("\"{}...\" {}", name.substr(0, IFNAMSIZ), longer_than(IFNAMSIZ - 1));
  if (name == "." || name == "..") return fmt::format("\"{}\" is not an interface name", name);
  // The kernel takes the byte 0xa0 for white space, whatever character it is a part of.
  constexpr std::string_view refused("/:% \t\n\v\f\r\xa0\0", 11);
  if (name.find_first_of(refused) != std::string_view::npos)
    return fmt::format("\"{}\" must have no '/', ':', '%' and no white space", name);
  // JSON cannot carry other names.
  if (const std::string shown = printable(name); shown != name)
    return fmt::format("\"{}\" must be printable UTF-8", shown);
  return std::nullopt;
}

std::optional<std::string> problem_of_plugin_type(std::string_view type) {
  if (type.empty()) return "is empty";
  if (type.size() > NAME_MAX) return longer_than(NAME_MAX);
  if (type != "." && type != ".." && type.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos)
    return std::nullopt;
  return fmt::format("\"{}\" must be the name of a plugin, not a path", type);
}

}  // namespace onlink::cni
