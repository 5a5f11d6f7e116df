// SPDX-License-Identifier: Apache-2.0
#include "plugin/delegate.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json_reader.h"
#include "base/unique_fd.h"
#include "cni/error.h"
#include "cni/names.h"

namespace onlink::plugin {
namespace {

constexpr std::size_t output_limit = 1u << 20;

struct Outcome {
  int wait_status = 0;
  std::string output;

  bool succeeded() const { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }
};

// Empty folders in the list are left out: they would mean the current one, which nobody chose.
std::string find_plugin(const std::string& type, std::string_view folders) {
  if (const auto problem = cni::problem_of_plugin_type(type))
    throw Failure(FailureKind::configuration, "type " + *problem);
  for (std::string_view rest = folders; !rest.empty();) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    std::string path = fmt::format("{}/{}", folder, type);
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return path;
  }
  throw Failure(FailureKind::configuration, fmt::format("is in no folder of CNI_PATH ({})", folders));
}

// Standard input as a file in memory: unlike a pipe it cannot fill up and does not care whether it is read.
UniqueFd input_file(std::string_view content) {
  UniqueFd fd(::memfd_create("cni-input", MFD_CLOEXEC));
  if (!fd) throw system_failure("memfd_create");
  write_all(fd.get(), content, "standard input of the plugin");
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) throw system_failure("lseek");
  return fd;
}

std::vector<std::string> environment_with(cni::Command command) {
  constexpr std::string_view variable = "CNI_COMMAND=";
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    if (std::string_view(*entry).substr(0, variable.size()) != variable) variables.emplace_back(*entry);
  variables.push_back(fmt::format("{}{}", variable, to_string(command)));
  return variables;
}

// Everything but the two descriptors is closed by exec: the descriptors of this project all have O_CLOEXEC.
class SpawnActions {
 public:
  SpawnActions(int input, int output) {
    check(::posix_spawn_file_actions_init(&actions_));
    check(::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO));
    check(::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
  }
  SpawnActions(const SpawnActions&) = delete;
  ~SpawnActions() { (void)::posix_spawn_file_actions_destroy(&actions_); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void check(int error) {
    if (error != 0) throw system_failure("prepare to run", error);
  }
  posix_spawn_file_actions_t actions_;
};

pid_t spawn(std::string& path, cni::Command command, int input, int output) {
  std::vector<std::string> variables = environment_with(command);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  char* arguments[] = {path.data(), nullptr};
  const SpawnActions actions(input, output);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), actions.get(), nullptr, arguments, environment.data());
  if (error == ETXTBSY)
    throw Failure(FailureKind::try_again, fmt::format("run {}: it is being written (ETXTBSY)", path), error);
  if (error != 0) throw system_failure("run " + path, error);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw system_failure("wait for the plugin");
  return status;
}

Outcome run(std::string path, cni::Command command, std::string_view input) {
  // A caller may have left SIGCHLD ignored, which exec keeps: then the kernel reaps and there is no status to
  // get.
  (void)::signal(SIGCHLD, SIG_DFL);
  const UniqueFd input_fd = input_file(input);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_failure("pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = spawn(path, command, input_fd.get(), write_end.get());
  write_end = UniqueFd();
  Outcome outcome;
  try {
    outcome.output = read_all(read_end.get(), "the output of the plugin", output_limit);
  } catch (const Failure&) {
    read_end = UniqueFd();  // whatever it still writes ends it
    (void)wait_for(pid);
    throw;
  }
  outcome.wait_status = wait_for(pid);
  return outcome;
}

Failure ended_without_error_document(const Outcome& outcome) {
  const std::string how = WIFSIGNALED(outcome.wait_status)
                              ? fmt::format("was ended by signal {}", WTERMSIG(outcome.wait_status))
                              : fmt::format("exited with status {}", WEXITSTATUS(outcome.wait_status));
  if (outcome.output.empty()) return Failure(how + " and printed nothing");
  constexpr std::size_t shown = 200;
  return Failure(fmt::format("{} and printed {}{}", how, dump_json(outcome.output.substr(0, shown)),
                             outcome.output.size() > shown ? "..." : ""));
}

// What the plugin printed when it succeeded.
std::string execute(const std::string& path, const cni::Request& request, cni::Command command) {
  Outcome outcome = run(path, command, request.input);
  if (outcome.succeeded()) return std::move(outcome.output);
  if (auto error = cni::parse_error(outcome.output)) throw *error;
  throw ended_without_error_document(outcome);
}

cni::Result result_of(const std::string& output, const cni::Version& version) {
  try {
    return cni::parse_result(parse_json(output, "what it printed"), version, "its result");
  } catch (const Failure& failure) {
    throw Failure(failure.what());  // not our configuration and not our input: its own mistake
  }
}

std::string subject(const std::string& type) { return "IPAM plugin " + type; }

}  // namespace

cni::Result delegate_add(const cni::Request& request, const std::string& type) {
  return with_context(subject(type), [&] {
    const std::string path = find_plugin(type, request.path);
    try {
      return result_of(execute(path, request, cni::Command::add), request.version);
    } catch (Failure& failure) {
      try {
        (void)execute(path, request, cni::Command::del);
      } catch (const Failure& second) {
        failure.append_detail(fmt::format("its DEL failed as well: {}", second.what()));
      }
      throw;
    }
  });
}

void delegate(const cni::Request& request, const std::string& type, cni::Command command) {
  with_context(subject(type), [&] { (void)execute(find_plugin(type, request.path), request, command); });
}

}  // namespace onlink::plugin
