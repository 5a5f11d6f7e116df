// SPDX-License-Identifier: Apache-2.0
// Takes passwords, tokens and keys out of what others are to see. Where in doubt it takes more. Two ways, which meet: what stands under
// a name or in a form that secrets have goes wherever it is; and what is known to be one, because a configuration says so, goes from
// everywhere else too, whatever stands before it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace onlink::node {

// "password", "tokenFile", "API_KEY", "client-key-data", "Authorization": whatever case, with or without marks between its words.
bool is_secret_name(std::string_view name);

class Secrets {
 public:
  // What these have under such names is known from now on; the files too that names like "tokenFile" have the path of.
  void learn(const nlohmann::json& document);
  void learn_text(std::string_view text);           // YAML, or whatever has names before values
  void learn_file(const std::string& path);         // the whole content is one secret
  void learn_config_file(const std::string& path);  // as learn_text. Of both, what cannot be read is nothing

  nlohmann::json clean(const nlohmann::json& document) const;
  // Line by line: also of what is cut off, or is no JSON though it should be.
  std::string clean_text(std::string_view text) const;

 private:
  void learn_value(std::string_view value);
  void learn_named(std::string_view name, std::string_view value);
  std::string clean_line(std::string line) const;

  std::vector<std::string> known_;
};

inline constexpr std::string_view removed_secret = "<removed>";

}  // namespace onlink::node
