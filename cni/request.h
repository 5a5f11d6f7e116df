// SPDX-License-Identifier: Apache-2.0
// One call of a CNI plugin: the environment and standard input, read and checked before anything is touched
// (CNI specification 1.1.0, section 2 "Execution Protocol").
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
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
// Standard input is read to its end, however long that takes, up to input_limit bytes. A terminal counts as
// empty: nobody types a configuration, and a person who tries VERSION by hand gets an answer.
Source process_source();
// GC of 100,000 attachments is about 11 MB.
inline constexpr std::size_t input_limit = 32u << 20;

struct Request {
  Command command = Command::version;
  std::string network;                      // "name" of the configuration; empty for VERSION
  Attachment attachment;                    // empty for STATUS, GC, VERSION
  std::string netns;                        // CNI_NETNS; may be empty for DEL
  std::string path;                         // CNI_PATH, folders separated by ':'
  std::map<std::string, std::string> args;  // CNI_ARGS
  Version version = newest_version;         // cniVersion of the configuration
  std::string input;                        // standard input as it came: what a delegate gets
  nlohmann::json config;                    // standard input, parsed
  std::optional<Result> prev_result;        // parsed; for DEL left out when it is unusable

  std::vector<Attachment> valid_attachments;  // of GC ("cni.dev/valid-attachments"); sorted
  // When the call began (CLOCK_REALTIME, nanoseconds). GC's list does not know of anything later.
  std::int64_t begun = nanoseconds(time_by(CLOCK_REALTIME));
};

// Reads and checks a call as the specification demands for its command, in this order: the variables
// (environment; all that are missing or bad in one message), standard input (unreadable_input, not_json),
// cniVersion (incompatible_version; CHECK needs 0.4.0, STATUS and GC 1.1.0), and the keys of the protocol
// itself: name, prevResult, cni.dev/valid-attachments (configuration; all problems in one message). The
// plugin checks its own keys, and whether CNI_NETNS is a network namespace.
// As with libcni's skel, CNI_CONTAINERID and CNI_IFNAME are required for ADD, CHECK and DEL, CNI_NETNS for
// ADD and CHECK, CNI_PATH for all but VERSION, which needs nothing and takes any input, or none. DEL goes as
// far as it can: it ignores bad pairs in CNI_ARGS and an unusable prevResult.
Request read_request(const Source& source);
// The same into an object that keeps, after a failure, what was understood before: the version to answer in.
void read_request(const Source& source, Request& request);

}  // namespace onlink::cni
