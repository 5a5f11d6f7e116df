// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2, also where a program was started without them, or somebody has left.
#pragma once

#include <string_view>

namespace onlink {

// What a program opens takes the lowest free descriptor: without stdout its next file would get what is
// printed. Each that is closed is held by one that can be neither read from (0) nor written to (1, 2), so
// that whoever prints is told. Call it first.
void hold_standard_streams() noexcept;

// What a person has asked for, on standard output. False where it could not be written (a reader that went
// away).
bool print(std::string_view text) noexcept;

// The same for --watch: on a cleared screen where standard output is a terminal, else with an empty line after it; then
// waits two seconds.
bool print_for_a_while(std::string_view text) noexcept;

// A line for people, on standard error. Whether it arrives changes nothing: a log that
// has gone away must not end a service.
void print_error(std::string_view line) noexcept;

}  // namespace onlink
