// SPDX-License-Identifier: Apache-2.0
#include "base/failure.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace onlink {

Failure::Failure(FailureKind kind, std::string message, int error)
    : kind_(kind), error_(error), message_(std::move(message)) {}

Failure& Failure::prepend(std::string_view context) {
  message_.insert(0, std::string(context) + ": ");
  return *this;
}

Failure& Failure::append_detail(std::string_view detail) {
  message_.append("\n").append(detail);
  return *this;
}

bool Failure::already_exists() const noexcept { return error_ == EEXIST; }

bool Failure::missing() const noexcept {
  return error_ == ENOENT || error_ == ENODEV || error_ == ESRCH || error_ == ENXIO ||
         error_ == EADDRNOTAVAIL;
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

Failure system_failure(std::string_view attempt, int error) {
  // strerrordesc_np, not strerror: no locale, no allocation, the same words everywhere.
  const char* description = strerrordesc_np(error);
  return Failure(std::string(attempt) + ": " + (description != nullptr ? description : "unknown error") +
                     " (" + errno_name(error) + ")",
                 error);
}

Failure system_failure(std::string_view attempt) { return system_failure(attempt, errno); }

}  // namespace onlink
