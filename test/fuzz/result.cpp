// SPDX-License-Identifier: Apache-2.0
// A result of any version (prevResult, what an IPAM plugin prints): what is understood is written in the form
// of every version, and understood again.
#include <cstdint>
#include <string>

#include "base/failure.h"
#include "cni/result.h"
#include "cni/version.h"
#include "test/fuzz/input.h"

using namespace onlink;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) return 0;
  cni::Result result;
  try {
    result = cni::parse_result(document, cni::newest_version, "prevResult");
  } catch (const Failure& failure) {
    fuzz::require(failure.kind() == FailureKind::configuration, "a bad result is a bad configuration");
    return 0;
  }
  for (const cni::Version& version : cni::supported_versions) {
    const auto written = cni::to_json(result, version);
    const auto again = cni::parse_result(written, version, "printed");
    fuzz::require(cni::to_json(again, version) == written, "what is printed is understood as it was meant");
    if (version == cni::newest_version) fuzz::require(again == result, "the newest form loses nothing");
  }
  return 0;
}
