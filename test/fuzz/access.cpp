// SPDX-License-Identifier: Apache-2.0
// A kubeconfig.
#include "node/sources/kubernetes/access.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/failure.h"
#include "test/fuzz/input.h"

using namespace onlink;
using namespace onlink::node;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const HttpRequest request = kubeconfig_request(text, "config", "/nowhere/");
    fuzz::require(request.url.starts_with("http"), "a request has a URL");
    for (const std::string& header : request.headers) {
      const auto plain = [](char c) { return c >= ' ' && c < 0x7f; };
      fuzz::require(std::all_of(header.begin(), header.end(), plain), "a header is one line");
    }
  } catch (const Failure& failure) {
    fuzz::require(failure.what()[0] != '\0', "a file that is no kubeconfig is told as such");
  }
  return 0;
}
