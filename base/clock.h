// SPDX-License-Identifier: Apache-2.0
// Times (clock_gettime(2)).
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace onlink {

timespec time_by(clockid_t clock);
std::int64_t nanoseconds(const timespec& time);

// CLOCK_MONOTONIC: for spans of time within one boot.
std::int64_t monotonic_ns();
std::int64_t monotonic_ms();
// CPU time of this process so far, user and kernel, in milliseconds.
std::int64_t processor_ms();

// "2026-11-22T10:28:35Z", from seconds since 1970; empty where no date can express them.
std::string in_utc(std::int64_t seconds);

}  // namespace onlink
