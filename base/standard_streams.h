// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2, also where a program was started without them or its reader has gone.
#pragma once

#include <string_view>

namespace onlink {

// A newly opened file takes the lowest free descriptor: without stdout, the next file would get what is printed. Each
// closed one is replaced by one that can be neither read (0) nor written (1, 2), so that printing fails visibly. Call
// it first.
void hold_standard_streams() noexcept;

// Writes to standard output what a person asked for. False where it fails (the reader has gone).
bool print(std::string_view text) noexcept;

// The same for --watch: on a cleared screen where standard output is a terminal, else with an empty line after it; then
// waits two seconds.
bool print_for_a_while(std::string_view text) noexcept;

// Writes a line for people to standard error. Failure is ignored: a log that has gone must not end a service.
void print_error(std::string_view line) noexcept;

}  // namespace onlink
