// SPDX-License-Identifier: Apache-2.0
#include "ipam/resolv_conf.h"

#include <cerrno>
#include <string_view>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"

namespace onlink::ipam {

cni::Dns read_resolv_conf(const std::string& path) {
  const auto content = with_context("resolvConf", [&] { return read_file(AT_FDCWD, path); });
  if (!content) throw system_failure("resolvConf: open " + path, ENOENT);
  cni::Dns dns;
  for (const std::string_view line : split(*content, "\n")) {
    const auto words = split(line);
    if (words.size() < 2) continue;  // a comment's first word is none of these
    if (words[0] == "nameserver") dns.nameservers.emplace_back(words[1]);
    if (words[0] == "domain") dns.domain = words[1];
    if (words[0] == "search") dns.search.insert(dns.search.end(), words.begin() + 1, words.end());
    if (words[0] == "options") dns.options.insert(dns.options.end(), words.begin() + 1, words.end());
  }
  return dns;
}

}  // namespace onlink::ipam
