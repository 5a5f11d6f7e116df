// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <array>
#include <ctime>

namespace onlink {
namespace {

std::int64_t milliseconds(clockid_t clock) {
  timespec now{};
  (void)::clock_gettime(clock, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

std::int64_t monotonic_ms() { return milliseconds(CLOCK_MONOTONIC); }

std::int64_t processor_ms() { return milliseconds(CLOCK_PROCESS_CPUTIME_ID); }

std::string in_utc(std::int64_t seconds) {
  const std::time_t when = seconds;
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&when, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace onlink
