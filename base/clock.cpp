// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <array>

namespace onlink {

timespec time_by(clockid_t clock) {
  timespec now{};
  (void)::clock_gettime(clock, &now);
  return now;
}

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

std::int64_t monotonic_ns() { return nanoseconds(time_by(CLOCK_MONOTONIC)); }

std::int64_t monotonic_ms() { return monotonic_ns() / 1'000'000; }

std::int64_t processor_ms() { return nanoseconds(time_by(CLOCK_PROCESS_CPUTIME_ID)) / 1'000'000; }

std::string in_utc(std::int64_t seconds) {
  const std::time_t when = seconds;
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&when, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace onlink
