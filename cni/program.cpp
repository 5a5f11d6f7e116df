// SPDX-License-Identifier: Apache-2.0
#include "cni/program.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <new>
#include <string>

#include "base/file.h"
#include "base/json_reader.h"
#include "cni/error.h"

namespace onlink::cni {
namespace {

using nlohmann::json;

// A constant: nothing can be allocated when it is needed.
constexpr std::string_view out_of_memory =
    "{\"cniVersion\":\"1.1.0\",\"code\":100,\"details\":\"nothing more is known\",\"msg\":\"out of "
    "memory\"}\n";

std::string version_document(const Version& asked) {
  json document{{"cniVersion", asked.to_string()}, {"supportedVersions", json::array()}};
  for (const Version& version : supported_versions)
    document["supportedVersions"].push_back(version.to_string());
  return dump_json(document) + "\n";
}

template <class Handler>
const Handler& offered(const Handler& handler, const Request& request) {
  if (handler) return handler;
  throw Failure(FailureKind::environment,
                fmt::format("CNI_COMMAND: this plugin does not offer {}", to_string(request.command)));
}

const std::function<void(const Request&)>& handler_of(const Handlers& handlers, Command command) {
  switch (command) {
    case Command::del:
      return handlers.del;
    case Command::check:
      return handlers.check;
    case Command::status:
      return handlers.status;
    default:
      return handlers.gc;
  }
}

// The document of a successful call; empty where the protocol has none.
std::string serve(const Handlers& handlers, const Request& request) {
  if (request.command == Command::version) return version_document(request.version);
  if (request.command == Command::add)
    return dump_json(to_json(offered(handlers.add, request)(request), request.version)) + "\n";
  offered(handler_of(handlers, request.command), request)(request);
  return {};
}

// Which call failed, as far as it was understood. The specification wants details with every error, and
// libcni prints them after the message. For a failure without details of its own, these tell one call from
// another.
std::string describe_call(const Request& request) {
  if (request.command == Command::version) return "the call was not understood";
  std::string text = fmt::format("during {}", to_string(request.command));
  const auto name = [&](std::string_view what, std::string_view value) {
    constexpr std::size_t longest = 128;  // names are unchecked, and may be what is wrong
    if (!value.empty())
      text += fmt::format(", {} {}{}", what, value.substr(0, longest), value.size() > longest ? "..." : "");
  };
  name("network", request.network);
  name("container", request.attachment.container_id);
  name("interface", request.attachment.ifname);
  name("namespace", request.netns);
  return text;
}

// Runs within a catch block: the document for the exception in flight.
std::string describe_error(const Request& request, bool was_read) {
  unsigned code = error_code(Failure(""));
  std::string message;
  try {
    // cppcheck-suppress rethrowNoCurrentException  ; there is one, see above
    throw;
  } catch (const Failure& failure) {
    const bool own_status = was_read && request.command == Command::status;
    code = own_status ? status_error_code(failure) : error_code(failure);
    message = failure.what();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    message = error.what();
  } catch (...) {
    message = "unknown exception";
  }
  json document = error_document(request.version, code, message);
  if (!document.contains("details")) document["details"] = describe_call(request);
  return dump_json(document) + "\n";
}

}  // namespace

std::string version_text(std::string_view program, std::string_view version) {
  std::string versions;
  for (const auto& each : supported_versions) versions.append(1, ' ').append(each.to_string());
  return fmt::format("{} {}\nCNI protocol versions supported:{}\n", program, version, versions);
}

void print_to_stdout(std::string_view document) { write_all(STDOUT_FILENO, document, "standard output"); }

int run_plugin(const Handlers& handlers, const Source& source, const Print& print) {
  // At a limit on file sizes the kernel would kill us in the middle. With the signal ignored, the write fails
  // (EFBIG).
  (void)::signal(SIGXFSZ, SIG_IGN);
  int status = 0;
  try {
    std::string document;
    Request request;
    bool was_read = false;
    try {
      read_request(source, request);
      was_read = true;
      document = serve(handlers, request);
    } catch (...) {
      status = 1;
      document = describe_error(request, was_read);
    }
    if (!document.empty()) print(document);
  } catch (const std::bad_alloc&) {
    try {
      print(out_of_memory);
    } catch (...) {
      // Standard output is gone as well: only the exit status is left.
    }
    return 1;
  } catch (...) {
    return 1;  // the document could not be printed
  }
  return status;
}

}  // namespace onlink::cni
