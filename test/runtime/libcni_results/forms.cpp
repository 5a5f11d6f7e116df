// SPDX-License-Identifier: Apache-2.0
// The counterpart of forms.go with our own code, for every version that we know.
#include <cstdio>
#include <iostream>
#include <string>

#include "base/json_reader.h"
#include "cni/result.h"

int main() {
  using namespace onlink;
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    const cni::Result result =
        cni::parse_result(parse_json(line, "line"), cni::oldest_version, "line " + std::to_string(number));
    for (const cni::Version& version : cni::supported_versions)
      std::printf("%d %s %s\n", number, version.to_string().c_str(),
                  dump_json(cni::to_json(result, version)).c_str());
  }
}
