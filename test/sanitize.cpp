// SPDX-License-Identifier: Apache-2.0
// A part of every program that is built with AddressSanitizer: under a tracer, as tests with strace are,
// LeakSanitizer cannot work and would end the program with an error of its own.
#include <fstream>
#include <string>

// Asked at the end of the program (sanitizer/lsan_interface.h).
extern "C" int __lsan_is_turned_off() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("TracerPid:"))
      return line.find_first_not_of("\t 0", 10) != std::string::npos ? 1 : 0;
  return 0;
}
