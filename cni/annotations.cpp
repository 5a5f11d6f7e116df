// SPDX-License-Identifier: Apache-2.0
#include "cni/annotations.h"

#include <algorithm>
#include <exception>
#include <string_view>

#include "base/failure.h"

namespace onlink::cni {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    words.emplace_back(word);
  }
  return words;
}

}  // namespace

JsonReader pod_annotations(const JsonReader& root) {
  return root.child("runtimeConfig").child("io.kubernetes.cri.pod-annotations");
}

std::vector<std::string> annotated_ips(const JsonReader& annotations) {
  const std::string text = annotations.text(ips_annotation).value_or("");
  if (!text.starts_with('[')) return split(text);
  try {
    return parse_json(text, "it").get<std::vector<std::string>>();
  } catch (const std::exception&) {
    annotations.problem(ips_annotation, "must be a list of addresses, not " + dump_json(text));
    return {};
  }
}

std::optional<MacAddress> annotated_mac(const JsonReader& annotations) {
  return annotations.mac("onlink.io/mac");
}

}  // namespace onlink::cni
