// SPDX-License-Identifier: Apache-2.0
// The one exception type: what was attempted on which named object, why it failed, and the errno name.
//
// A message grows from the inside out: the place that fails says what it tried ("add route 10.10.0.2/32 dev
// onl1: Nexthop has invalid gateway (EINVAL)"), and its callers put their context in front. Only at the
// program's edge does the kind become a CNI error code (or exit status). A message may have more than one
// line: the first is the whole story in short, the rest are details.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace onlink {

enum class FailureKind {
  internal,              // anything without a better name, kernel refusals included
  environment,           // a variable is missing or has an invalid value
  unreadable_input,      // standard input could not be read
  not_json,              // standard input is not JSON
  configuration,         // the configuration is invalid
  incompatible_version,  // a version of the protocol that is not supported
  unsupported_field,     // a field of the configuration that is not supported
  container_unknown,     // the container does not exist
  try_again,             // a transient condition: the same call may succeed later
  no_addresses,          // every address of a range set is taken
  unavailable,           // the plugin cannot serve ADD now
  limited_connectivity,  // the same, and existing attachments may not reach everything
  not_as_attached,       // CHECK found differences
};

class Failure : public std::exception {
 public:
  // error: an errno value, or 0 where the cause is no system call.
  explicit Failure(std::string message, int error = 0)
      : Failure(FailureKind::internal, std::move(message), error) {}
  Failure(FailureKind kind, std::string message, int error = 0);

  // "<context>: <message>"; the kind and errno stay.
  Failure& prepend(std::string_view context);
  // Adds a line below the message: something else that happened.
  Failure& append_detail(std::string_view detail);

  const char* what() const noexcept override { return message_.c_str(); }
  FailureKind kind() const noexcept { return kind_; }
  int error() const noexcept { return error_; }

  // Outcomes that callers expect and act on.
  bool already_exists() const noexcept;
  bool missing() const noexcept;  // ENOENT, ENODEV, ESRCH, ENXIO, EADDRNOTAVAIL

 private:
  FailureKind kind_;
  int error_;
  std::string message_;
};

// "EEXIST" for 17; "errno 9999" for a number without a name.
std::string errno_name(int error);

// For a system call that just failed: "<attempt>: <strerror text> (<errno name>)".
Failure system_failure(std::string_view attempt, int error);
Failure system_failure(std::string_view attempt);  // with the current errno

// Runs an action and puts a context in front of any Failure that leaves it.
template <class Action>
decltype(auto) with_context(std::string_view context, Action&& action) {
  try {
    return action();
  } catch (Failure& failure) {
    failure.prepend(context);
    throw;
  }
}

}  // namespace onlink
