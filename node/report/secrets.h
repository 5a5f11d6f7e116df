// SPDX-License-Identifier: Apache-2.0
// Removes passwords, tokens and keys from what others will see. If in doubt, it removes more. It does so in two ways:
// values with a name or in a form that secrets have go wherever they are; and values that a configuration marks as
// secret go from everywhere, whatever stands before them.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace onlink::node {

// "password", "tokenFile", "API_KEY", "client-key-data", "Authorization": in any case, with or without punctuation.
bool is_secret_name(std::string_view name);

class Secrets {
 public:
  // Values under such names are known secrets from now on; so are the contents of files under names like "tokenFile".
  void learn(const nlohmann::json& document);
  void learn_text(std::string_view text);           // YAML, or anything with names before values
  void learn_file(const std::string& path);         // its whole content is secret, and each of its lines
  void learn_config_file(const std::string& path);  // as learn_text. Both ignore what they cannot read

  nlohmann::json clean(const nlohmann::json& document) const;
  // Line by line: so it works on text that is cut off, or that should be JSON but is not.
  std::string clean_text(std::string_view text) const;

 private:
  void learn_value(std::string_view value);
  void learn_named(std::string_view name, std::string_view value);
  std::string clean_line(std::string line) const;

  std::vector<std::string> known_;
};

inline constexpr std::string_view removed_secret = "<removed>";

}  // namespace onlink::node
