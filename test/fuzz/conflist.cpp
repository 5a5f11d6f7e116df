// SPDX-License-Identifier: Apache-2.0
// The template of the conflist. What is accepted becomes a document with the node's subnets in it.
#include <cstdint>
#include <string>

#include "node/sources/kubernetes/conflist.h"

#include "base/failure.h"
#include "base/json_reader.h"
#include "test/fuzz/input.h"

using namespace onlink;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string rendered;
  try {
    rendered = node::render_conflist(text, "template",
                                     {*IpPrefix::parse("10.10.0.0/24"), *IpPrefix::parse("fd00:10::/64")});
  } catch (const Failure& failure) {
    fuzz::require(failure.kind() == FailureKind::configuration || failure.kind() == FailureKind::not_json,
                  "a template that is none is told as such");
    return 0;
  }
  const nlohmann::json document = parse_json(rendered, "rendered");
  bool filled = false;
  for (const auto& plugin : document.at("plugins"))
    filled = filled || (plugin.is_object() && plugin.contains("ipam") && plugin["ipam"].is_object() &&
                        plugin["ipam"].value("ranges", nlohmann::json()).dump() ==
                            R"([[{"subnet":"10.10.0.0/24"}],[{"subnet":"fd00:10::/64"}]])");
  fuzz::require(filled, "the subnets are in it");
  return 0;
}
