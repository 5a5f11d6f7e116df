// SPDX-License-Identifier: Apache-2.0
// Taking text apart.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onlink {

inline constexpr std::string_view blanks = " \t\r\n\v\f";

// The non-empty parts between the separators (any of these characters). They point into the text.
std::vector<std::string_view> split(std::string_view text, std::string_view separators = blanks);

// The whole text as a decimal number; nothing for anything else, or where it does not fit.
template <class Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// The text without these characters at either end.
std::string_view trimmed(std::string_view text, std::string_view characters = blanks);

// An untrusted name, made safe for a terminal or a document. "?" replaces what would move the cursor, change the
// writing direction or be invisible, what is not UTF-8, and what XML does not allow.
std::string printable(std::string_view text);

// The columns that a printable() text takes. Wide characters count as two, and so do a few narrow ones.
std::size_t columns_of(std::string_view text);

// The text; a wider one loses its middle ("node-of-...-0017"), as names differ at either end. columns: at least 5.
std::string shortened(std::string_view text, std::size_t columns);

// Lines of at most that many columns, broken between words; a wider word is broken itself.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

}  // namespace onlink
