// SPDX-License-Identifier: Apache-2.0
// Gives a fuzz target each file of its corpus, and each of them cut off at several places.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "test/fuzz/input.h"

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t inputs = 0;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    constexpr std::size_t pieces = 16;
    for (std::size_t piece = 0; piece <= pieces; ++piece, ++inputs)
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content.data()),
                             content.size() * piece / pieces);
  }
  std::printf("%zu inputs of %zu files\n", inputs, files.size());
  return files.empty() ? 1 : 0;
}
