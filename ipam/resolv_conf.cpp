// SPDX-License-Identifier: Apache-2.0
#include "ipam/resolv_conf.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::ipam {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  constexpr std::string_view space = " \t\r\v\f";
  std::vector<std::string> words;
  for (;;) {
    const auto first = line.find_first_not_of(space);
    if (first == std::string_view::npos) return words;
    line.remove_prefix(first);
    const auto end = std::min(line.find_first_of(space), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

void add_line(const std::vector<std::string>& words, cni::Dns& dns) {
  if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';') return;
  if (words[0] == "nameserver") dns.nameservers.push_back(words[1]);
  if (words[0] == "domain") dns.domain = words[1];
  if (words[0] == "search") dns.search.insert(dns.search.end(), words.begin() + 1, words.end());
  if (words[0] == "options") dns.options.insert(dns.options.end(), words.begin() + 1, words.end());
}

}  // namespace

cni::Dns read_resolv_conf(const std::string& path) {
  const auto content = with_context("resolvConf", [&] { return read_file(AT_FDCWD, path); });
  if (!content) throw system_failure("resolvConf: open " + path, ENOENT);
  cni::Dns dns;
  std::string_view rest = *content;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    add_line(words_of(line), dns);
  }
  return dns;
}

}  // namespace onlink::ipam
