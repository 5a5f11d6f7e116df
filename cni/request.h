// SPDX-License-Identifier: Apache-2.0
// One call of a CNI plugin: the environment and standard input, read and checked before anything is touched
// (CNI specification 1.1.0, section 2 "Execution Protocol").
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni/result.h"
#include "cni/version.h"

namespace onlink::cni {

enum class Command { add, del, check, status, gc, version };
std::string_view to_string(Command command);  // "ADD"

// What the specification calls the key of an attachment, within one network.
struct Attachment {
  std::string container_id;
  std::string ifname;

  auto operator<=>(const Attachment&) const = default;
};

// Where a call's variables and standard input come from: the process, or a test.
struct Source {
  std::function<const char*(const char* name)> getenv;  // null where unset
  std::function<std::string()> read_stdin;              // throws Failure (unreadable_input)
};
Source process_source();

struct Request {
  Command command = Command::version;
  std::string network;                      // "name" of the configuration; empty for VERSION
  Attachment attachment;                    // empty for STATUS, GC, VERSION
  std::string netns;                        // CNI_NETNS; may be empty for DEL
  std::string path;                         // CNI_PATH, folders separated by ':'
  std::map<std::string, std::string> args;  // CNI_ARGS
  Version version;                          // cniVersion of the configuration
  nlohmann::json config;                    // standard input
  std::optional<Result> prev_result;        // parsed; for DEL left out when it is unusable

  // The valid attachments of GC ("cni.dev/valid-attachments").
  std::vector<Attachment> valid_attachments;
};

// Reads and checks a call as the specification demands for its command: required variables (error 4 naming the
// variable), names, JSON, version, and the keys that belong to the protocol itself (cniVersion, name, prevResult,
// cni.dev/valid-attachments). The keys of a plugin are the plugin's own to check.
Request read_request(const Source& source);

}  // namespace onlink::cni
