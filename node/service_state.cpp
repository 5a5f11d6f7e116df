// SPDX-License-Identifier: Apache-2.0
#include "node/service_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "base/lock.h"
#include "base/uninterrupted.h"

namespace onlink::node {
namespace {

// Removes drafts of replace_file that killed processes left: whoever holds the node's lock knows that nobody is at work
// on them. Matches whole names, because others may use the folder, too.
void remove_drafts(const std::string& folder, std::initializer_list<std::string_view> files) noexcept {
  std::error_code ignored;
  std::vector<std::filesystem::path> drafts;
  const auto is_draft = [&](const std::string& name) {
    return std::any_of(files.begin(), files.end(), [&](std::string_view file) {
      const std::string beginning = std::string(file) + ".tmp.";
      return name.starts_with(beginning) &&
             name.find_first_not_of("0123456789", beginning.size()) == std::string::npos;
    });
  };
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (is_draft(entry.path().filename().string())) drafts.push_back(entry.path());
  for (const auto& draft : drafts) std::filesystem::remove(draft, ignored);
}

// The network namespace itself (nsfs): the same file for every process in it, whatever file systems it sees.
constexpr const char* lock_file = "/proc/self/ns/net";

std::string service_file(const Directories& directories) { return directories.run + "/service.json"; }

}  // namespace

UniqueFd lock_node(const Directories& directories) {
  UniqueFd lock = open_file(AT_FDCWD, lock_file, O_RDONLY);
  try {
    lock_exclusively(lock.get(), "the network namespace", std::chrono::seconds(1));
  } catch (const Failure& failure) {
    throw Failure(FailureKind::try_again,
                  fmt::format("another onlink-node is at work on this node: {}", failure.what()));
  }
  remove_drafts(directories.run, {"node.json", "paths", "mtu", "reserved", "service.json"});
  remove_drafts(directories.state, {"cluster.json"});
  return lock;
}

bool is_node_locked() {
  const UniqueFd lock = open_file(AT_FDCWD, lock_file, O_RDONLY);
  return uninterrupted([&] { return ::flock(lock.get(), LOCK_SH | LOCK_NB); }) != 0 && errno == EWOULDBLOCK;
}

std::optional<ServiceState> load_service_state(const Directories& directories) {
  try {
    const auto text = read_file(AT_FDCWD, service_file(directories));
    if (!text || !is_node_locked()) return std::nullopt;
    const auto document = parse_json(*text, service_file(directories));
    ServiceState state;
    state.pid = document.at("pid").get<int>();
    state.source = document.at("source").get<std::string>();
    state.source_problem = document.at("sourceProblem").get<std::string>();
    state.complete = document.at("complete").get<bool>();
    state.list_time = document.value("listTime", std::int64_t{0});
    state.list_problems = parse_problem_list(document.at("listProblems"));
    state.kept = document.at("kept").get<std::vector<std::string>>();
    state.passes = document.at("passes").get<std::uint64_t>();
    state.repairs = document.at("repairs").get<std::uint64_t>();
    state.overflows = document.at("overflows").get<std::uint64_t>();
    state.problems = parse_problem_list(document.at("problems"));
    return state;
  } catch (const std::exception&) {
    return std::nullopt;  // of another version, damaged, or no file: as good as none
  }
}

void save_service_state(const Directories& directories, const ServiceState& state) {
  const nlohmann::json document = {{"pid", state.pid},
                                   {"listProblems", print(state.list_problems)},
                                   {"source", state.source},
                                   {"sourceProblem", state.source_problem},
                                   {"complete", state.complete},
                                   {"listTime", state.list_time},
                                   {"kept", state.kept},
                                   {"passes", state.passes},
                                   {"repairs", state.repairs},
                                   {"overflows", state.overflows},
                                   {"problems", print(state.problems)}};
  make_directories(directories.run);
  replace_file(AT_FDCWD, service_file(directories), dump_json(document, 1) + "\n", 0644, false);
}

void forget_service_state(const Directories& directories) { remove_file(service_file(directories)); }

}  // namespace onlink::node
