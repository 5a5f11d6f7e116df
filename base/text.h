// SPDX-License-Identifier: Apache-2.0
// Taking text apart.
#pragma once

#include <string_view>
#include <vector>

namespace onlink {

inline constexpr std::string_view blanks = " \t\r\n\v\f";

// What is between the separators, any of these characters; nothing that is empty. Parts of the text, not
// copies.
std::vector<std::string_view> split(std::string_view text, std::string_view separators = blanks);

// The text without those of these characters that are at its ends.
std::string_view trimmed(std::string_view text, std::string_view characters = blanks);

}  // namespace onlink
