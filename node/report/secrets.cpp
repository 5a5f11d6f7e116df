// SPDX-License-Identifier: Apache-2.0
#include "node/report/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "base/add_once.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr std::size_t shortest_known = 4;  // removing shorter ones would remove half of everything
constexpr std::size_t most_known = 200;
constexpr std::size_t largest_file = 1u << 16;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_of_a_name(char c) { return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name)
    if (is_letter_or_digit(c)) letters += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return letters;
}

// A path is no secret; the file's content may be one.
bool is_path(std::string_view name, std::string_view value) {
  const std::string letters = letters_of(name);
  return value.starts_with('/') &&
         (letters.ends_with("file") || letters.ends_with("path") || letters.ends_with("dir"));
}

std::string read_small(const std::string& path) {
  const UniqueFd file = try_open(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  try {
    return read_all(file.get(), path, largest_file);
  } catch (const Failure&) {
    return "";
  }
}

struct Value {
  std::string_view name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Where the value of this name is, in name: value, name=value, "name": "value", name "value", --name value. A value
// without quotes goes to the end of the line after a colon, else to the next blank.
std::optional<Value> value_of(std::string_view line, std::size_t name_begin, std::size_t name_end) {
  Value value{line.substr(name_begin, name_end - name_begin)};
  std::size_t at = name_end;
  const auto here = [&] { return at < line.size() ? line[at] : '\0'; };
  const auto skip_blanks = [&] {
    while (is_blank(here())) ++at;
  };
  const auto is_quote = [](char c) { return c == '"' || c == '\'' || c == '`'; };
  while (here() == '\\' || is_quote(here())) ++at;
  skip_blanks();
  const char mark = here();
  if (mark == ':' || mark == '=') {
    ++at;
    if (here() == '=' || here() == '>') ++at;
    skip_blanks();
  } else if (!is_quote(mark) && !value.name.starts_with('-')) {
    return std::nullopt;
  }
  while (here() == '\\') ++at;
  if (is_quote(here())) {
    const char quote = here();
    value.begin = ++at;
    while (at < line.size() &&
           (here() != quote || (line[at - 1] == '\\' && at > value.begin && line[value.begin - 2] != '\\')))
      ++at;
    value.end = at;
    if (value.end > value.begin && line[value.end - 1] == '\\') --value.end;
  } else {
    value.begin = at;
    while (at < line.size() && (mark == ':' || (!is_blank(here()) && here() != '&' && !is_quote(here()))))
      ++at;
    value.end = at;
    while (value.end > value.begin && (is_blank(line[value.end - 1]) || line[value.end - 1] == '\r'))
      --value.end;
  }
  return value.end > value.begin ? std::optional(value) : std::nullopt;
}

// The first value with a secret's name, from that place on.
std::optional<Value> next_named(std::string_view line, std::size_t from) {
  for (std::size_t at = from; at < line.size(); ++at) {
    if (!is_of_a_name(line[at])) continue;
    std::size_t end = at;
    while (end < line.size() && is_of_a_name(line[end])) ++end;
    if (is_secret_name(line.substr(at, end - at)))
      if (const auto value = value_of(line, at, end)) return value;
    at = end;
  }
  return std::nullopt;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

// https://user:password@host
void clean_addresses(std::string& line) {
  for (std::size_t at = 0; (at = line.find("://", at)) != std::string::npos;) {
    at += 3;
    const std::size_t end = std::min(line.find_first_of("/?# \t\"'<>", at), line.size());
    const std::size_t user = std::string_view(line).substr(at, end - at).rfind('@');
    if (user == std::string_view::npos) continue;
    line.replace(at, user, removed_secret);
  }
}

// "Bearer ..." and "Basic ..." of HTTP, and JSON Web Tokens anywhere.
void clean_tokens(std::string& line) {
  constexpr std::size_t shortest = 8;
  for (const std::string_view scheme : {"Bearer ", "bearer ", "Basic ", "basic "})
    for (std::size_t at = 0; (at = line.find(scheme, at)) != std::string::npos;) {
      at += scheme.size();
      const std::size_t end = std::min(line.find_first_of(" \t\"',;\\", at), line.size());
      if (end - at >= shortest && line.compare(at, removed_secret.size(), removed_secret) != 0)
        line.replace(at, end - at, removed_secret);
    }
  for (std::size_t at = 0; (at = line.find("eyJ", at)) != std::string::npos;) {
    std::size_t end = at;
    while (end < line.size() && is_of_a_name(line[end])) ++end;
    if (std::count(line.begin() + static_cast<std::ptrdiff_t>(at),
                   line.begin() + static_cast<std::ptrdiff_t>(end), '.') >= 2) {
      line.replace(at, end - at, removed_secret);
      end = at + removed_secret.size();
    }
    at = end;
  }
}

std::size_t find_key(const std::string& line, std::size_t from) {
  constexpr std::string_view begin = "-----BEGIN ";
  for (std::size_t at = from; (at = line.find(begin, at)) != std::string::npos; at += begin.size()) {
    const std::size_t title = at + begin.size();
    if (line.substr(title, line.find("-----", title) - title).find("PRIVATE KEY") != std::string::npos)
      return at;
  }
  return std::string::npos;
}

// Private keys in PEM, on many lines or as a JSON string. open: the line before was inside one.
void clean_keys(std::string& line, bool& open) {
  constexpr std::string_view end = "-----END ", dashes = "-----";
  for (std::size_t at = open ? 0 : find_key(line, 0); at != std::string::npos;) {
    const std::size_t mark = line.find(end, at);
    open = mark == std::string::npos;
    const std::size_t closing = open ? mark : line.find(dashes, mark + end.size());
    const std::size_t stop = closing == std::string::npos ? line.size() : closing + dashes.size();
    line.replace(at, stop - at, removed_secret);
    at = open ? std::string::npos : find_key(line, at + removed_secret.size());
  }
}

}  // namespace

bool is_secret_name(std::string_view name) {
  const std::string letters = letters_of(name);
  constexpr std::string_view parts[] = {"password",   "passwd",        "passphrase", "secret", "token",
                                        "credential", "authorization", "privatekey", "cookie"};
  constexpr std::string_view ends[] = {"key", "keydata", "pwd", "psk", "pass", "auth"};
  return std::any_of(std::begin(parts), std::end(parts),
                     [&](std::string_view part) { return letters.find(part) != std::string::npos; }) ||
         std::any_of(std::begin(ends), std::end(ends),
                     [&](std::string_view end) { return letters.ends_with(end); });
}

void Secrets::learn_value(std::string_view value) {
  value = trimmed(value);
  if (value.size() >= shortest_known && known_.size() < most_known && value != removed_secret)
    add_once(known_, std::string(value));
}

void Secrets::learn_named(std::string_view name, std::string_view value) {
  if (is_path(name, value))
    learn_file(std::string(value));
  else
    learn_value(value);
}

void Secrets::learn(const json& document) {
  if (!document.is_structured()) return;
  for (const auto& [name, value] : document.items()) {
    if (document.is_object() && is_secret_name(name) && value.is_string())
      learn_named(name, value.get_ref<const std::string&>());
    else if (document.is_object() && letters_of(name) == "kubeconfig" && value.is_string())
      learn_config_file(value.get_ref<const std::string&>());
    else
      learn(value);
  }
}

void Secrets::learn_text(std::string_view text) {
  for (const std::string_view line : split(text, "\n"))
    for (std::size_t at = 0;;) {
      const auto value = next_named(line, at);
      if (!value) break;
      learn_named(value->name, line.substr(value->begin, value->end - value->begin));
      at = value->end;
    }
}

void Secrets::learn_file(const std::string& path) {
  const std::string content = read_small(path);
  learn_value(content);
  for (const std::string_view line : split(content, "\r\n")) learn_value(line);
}

void Secrets::learn_config_file(const std::string& path) { learn_text(read_small(path)); }

json Secrets::clean(const json& document) const {
  if (document.is_string()) return clean_text(document.get_ref<const std::string&>());
  if (!document.is_structured()) return document;
  if (document.is_array()) {
    json cleaned = json::array();
    for (const json& each : document) cleaned.push_back(clean(each));
    return cleaned;
  }
  json cleaned = json::object();
  for (const auto& [name, value] : document.items()) {
    const bool is_harmless = value.is_null() || value.is_boolean() ||
                             (value.is_string() && is_path(name, value.get_ref<const std::string&>()));
    cleaned[clean_text(name)] = is_secret_name(name) && !is_harmless ? json(removed_secret) : clean(value);
  }
  return cleaned;
}

std::string Secrets::clean_line(std::string line) const {
  for (const std::string& secret : known_) replace_all(line, secret, removed_secret);
  clean_addresses(line);
  clean_tokens(line);
  for (std::size_t at = 0;;) {
    const auto value = next_named(line, at);
    if (!value) return line;
    at = value->end;
    const std::string_view text = std::string_view(line).substr(value->begin, value->end - value->begin);
    if (is_path(value->name, text)) continue;
    line.replace(value->begin, text.size(), removed_secret);
    at = value->begin + removed_secret.size();
  }
}

std::string Secrets::clean_text(std::string_view text) const {
  std::string cleaned;
  bool in_key = false;
  for (;;) {
    const std::size_t end = text.find('\n');
    std::string line(text.substr(0, end));
    clean_keys(line, in_key);
    cleaned += clean_line(std::move(line));
    if (end == std::string_view::npos) return cleaned;
    cleaned += '\n';
    text.remove_prefix(end + 1);
  }
}

}  // namespace onlink::node
