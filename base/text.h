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

}  // namespace onlink
