// SPDX-License-Identifier: Apache-2.0
// What a fuzz target makes of its bytes: parts, one after another.
//
// A target is a function LLVMFuzzerTestOneInput that returns 0 for every input and ends the process where
// something that must hold does not. libFuzzer calls it with inputs that it invents (hack/fuzz); replay.cpp
// with those of the corpus (ctest -L fuzz).
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace onlink::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view take(std::size_t count) {
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(part.size());
    return part;
  }
  // Up to the next newline, which goes too: corpora stay readable.
  std::string line() {
    const std::string part(rest_.substr(0, rest_.find('\n')));
    rest_.remove_prefix(part.size());
    if (!rest_.empty()) rest_.remove_prefix(1);
    return part;
  }
  std::string rest() { return std::string(take(rest_.size())); }

 private:
  std::string_view rest_;
};

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace onlink::fuzz
