// SPDX-License-Identifier: Apache-2.0
// Failures as the specification's error document, in both directions (CNI specification 1.1.0, "Error").
//
//   FailureKind            code                        FailureKind            code
//   incompatible_version     1                         try_again               11
//   unsupported_field        2                         unavailable             50
//   container_unknown        3  (no DEL is needed)     limited_connectivity    51
//   environment              4                         internal               100
//   unreadable_input         5                         not_as_attached        101
//   not_json                 6                         no_addresses           102
//   configuration            7
//
// STATUS asks one thing, whether ADD would work: there container_unknown, configuration, internal,
// not_as_attached and no_addresses become 50 when the plugin's own handler fails with them.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/failure.h"
#include "cni/request.h"

namespace onlink::cni {

// The failure that another plugin reported. Its code is kept, also one that only that plugin defines.
class PluginFailure : public Failure {
 public:
  PluginFailure(unsigned code, std::string message);
  unsigned code() const noexcept { return code_; }

 private:
  unsigned code_;
};

unsigned error_code(const Failure& failure);
// The code for STATUS, see above.
unsigned status_error_code(const Failure& failure);

// {cniVersion, code, msg, details}: msg is the first line of the message, details the rest (left out where
// empty).
nlohmann::json error_document(const Version& version, unsigned code, std::string_view message);

// Parses what another plugin printed. Nothing where it is no error document: an object with code and msg.
std::optional<PluginFailure> parse_error(std::string_view text);

}  // namespace onlink::cni
