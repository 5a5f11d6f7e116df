// SPDX-License-Identifier: Apache-2.0
#include "cni/annotations.h"

#include <exception>
#include <string_view>

#include "base/text.h"

namespace onlink::cni {
JsonReader pod_annotations(const JsonReader& root) {
  return root.child("runtimeConfig").child("io.kubernetes.cri.pod-annotations");
}

std::vector<std::string> annotated_ips(const JsonReader& annotations) {
  const std::string text = annotations.text(ips_annotation).value_or("");
  if (!text.starts_with('[')) {
    std::vector<std::string> ips;
    for (const std::string_view part : split(text, ",")) ips.emplace_back(trimmed(part, " "));
    return ips;
  }
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
