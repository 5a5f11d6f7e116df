// SPDX-License-Identifier: Apache-2.0
// The frame of a plugin program: reads the call, runs its handler, prints the one document of the protocol.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cni/request.h"

namespace onlink::cni {

// What --version prints of a plugin.
std::string version_text(std::string_view program, std::string_view version);

// What a plugin does. A missing handler is a command that the plugin does not offer (error 4).
struct Handlers {
  std::function<Result(const Request&)> add;
  std::function<void(const Request&)> del;
  std::function<void(const Request&)> check;
  std::function<void(const Request&)> status;
  std::function<void(const Request&)> gc;
};

using Print = std::function<void(std::string_view document)>;
// Writes to standard output; throws Failure where that is not possible.
void print_to_stdout(std::string_view document);

// Prints the result of ADD, the answer of VERSION, or an error: one JSON document in one call of print;
// nothing after a successful DEL, CHECK, STATUS or GC. Returns the exit status, 0 or 1. No exception leaves
// it, whatever the handlers throw; a document that cannot be printed makes the exit status 1. SIGXFSZ
// is ignored from then on.
int run_plugin(const Handlers& handlers, const Source& source, const Print& print);

}  // namespace onlink::cni
