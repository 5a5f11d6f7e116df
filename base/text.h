// SPDX-License-Identifier: Apache-2.0
// Taking text apart.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace onlink {

inline constexpr std::string_view blanks = " \t\r\n\v\f";

// What is between the separators, any of these characters; nothing that is empty. Parts of the text, not
// copies.
std::vector<std::string_view> split(std::string_view text, std::string_view separators = blanks);

// The text without those of these characters that are at its ends.
std::string_view trimmed(std::string_view text, std::string_view characters = blanks);

// For a terminal or a document that others look at, of a name that anybody may have given. What would move a cursor, turn the
// direction of writing, hide, or is not UTF-8 becomes "?"; so does what XML cannot have.
std::string printable(std::string_view text);

// The columns that a text of printable() takes. Wide characters count as two, and so do a few that are not.
std::size_t columns_of(std::string_view text);

// The text, where it is wider with its middle left out ("node-of-...-0017"): names differ at either end. columns: at least 5.
std::string shortened(std::string_view text, std::size_t columns);

// As lines of at most so many columns, broken between words; a word that is wider is broken itself.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

}  // namespace onlink
