// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

namespace onlink {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
};

// The UTF-8 character that the text begins with: shortest form only, no surrogates.
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return std::nullopt;
  std::uint32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return std::nullopt;
    code = (code << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return std::nullopt;
  return Character{code, bytes};
}

bool is_harmless(std::uint32_t code) {
  constexpr std::pair<std::uint32_t, std::uint32_t> not_shown[] = {
      {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
      {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}};
  return (code & 0xfffeu) != 0xfffeu &&
         std::none_of(std::begin(not_shown), std::end(not_shown),
                      [&](auto range) { return code >= range.first && code <= range.second; });
}

// East Asian scripts begin at U+1100.
std::size_t columns_of(const Character& character) { return character.code < 0x1100 ? 1 : 2; }

// How many bytes at the start of the text fit into that many columns.
std::size_t bytes_of(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  for (std::size_t used = 0; bytes < text.size();) {
    const Character next = first_character(text.substr(bytes)).value_or(Character{});
    used += columns_of(next);
    if (used > columns) break;
    bytes += next.bytes;
  }
  return bytes;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; (at = text.find_first_not_of(separators, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

std::string_view trimmed(std::string_view text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  return text.substr(0, text.find_last_not_of(characters) + 1);
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const auto next = first_character(text);
    if (next && is_harmless(next->code))
      shown += text.substr(0, next->bytes);
    else
      shown += '?';
    text.remove_prefix(next ? next->bytes : 1);
  }
  return shown;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character next = first_character(text).value_or(Character{});
    columns += columns_of(next);
    text.remove_prefix(next.bytes);
  }
  return columns;
}

std::string shortened(std::string_view text, std::size_t columns) {
  constexpr std::string_view gap = "...";
  if (columns_of(text) <= columns) return std::string(text);
  const std::size_t left = (columns - gap.size() + 1) / 2;
  const std::string_view beginning = text.substr(0, bytes_of(text, left));
  std::string_view end = text;
  while (columns_of(end) > columns - gap.size() - left)
    end.remove_prefix(first_character(end).value_or(Character{}).bytes);
  return std::string(beginning).append(gap).append(end);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  for (std::string_view word : split(text)) {
    if (!line.empty() && columns_of(line) + 1 + columns_of(word) > columns)
      lines.push_back(std::exchange(line, {}));
    if (!line.empty()) line += ' ';
    for (; columns_of(word) > columns; word.remove_prefix(bytes_of(word, columns)))
      lines.emplace_back(word.substr(0, bytes_of(word, columns)));
    line += word;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace onlink
