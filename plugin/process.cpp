// SPDX-License-Identifier: Apache-2.0
#include "plugin/process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/json_reader.h"
#include "base/uninterrupted.h"
#include "base/unique_fd.h"

namespace onlink::plugin {
namespace {

constexpr std::size_t output_limit = 1u << 20;

// Standard input as a file in memory: unlike a pipe, it cannot fill up and need not be read.
UniqueFd input_file(std::string_view content) {
  UniqueFd fd(::memfd_create("input", MFD_CLOEXEC));
  if (!fd) throw system_failure("memfd_create");
  write_all(fd.get(), content, "its standard input");
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) throw system_failure("lseek");
  return fd;
}

// Everything but these and the attachment's lock is closed by exec: other descriptors of this project have O_CLOEXEC.
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

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t spawn(std::vector<std::string>& command, std::vector<std::string>& environment, int input, int output) {
  const std::string& path = command.front();
  const SpawnActions actions(input, output);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), actions.get(), nullptr, pointers_to(command).data(),
                                  pointers_to(environment).data());
  if (error == ETXTBSY)
    throw Failure(FailureKind::try_again, fmt::format("run {}: it is being written (ETXTBSY)", path), error);
  if (error != 0) throw system_failure("run " + path, error);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  if (uninterrupted([&] { return ::waitpid(pid, &status, 0); }) < 0) throw system_failure("wait for it");
  return status;
}

// Everything that the program printed until it ended. Not to the end of the pipe: a program that it left
// behind may hold that open for ever.
std::string read_output(int fd, pid_t pid) {
  // Without pidfd_open (before Linux 5.3) the end of the pipe is awaited.
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd events[] = {{fd, POLLIN, 0}, {process.get(), POLLIN, 0}};
  std::string output;
  char buffer[4096];
  for (;;) {
    const bool ended = events[1].revents != 0;
    if (uninterrupted([&] { return ::poll(events, ended ? 1 : 2, ended ? 0 : -1); }) < 0)
      throw system_failure("wait for its output");
    if (events[0].revents == 0) {
      if (ended) return output;
      continue;
    }
    const ssize_t count = uninterrupted([&] { return ::read(fd, buffer, sizeof buffer); });
    if (count == 0) return output;
    if (count < 0) throw system_failure("read its output");
    output.append(buffer, static_cast<std::size_t>(count));
    if (output.size() > output_limit)
      throw Failure(fmt::format("read its output: larger than {} bytes", output_limit), EFBIG);
  }
}

}  // namespace

bool Outcome::succeeded() const { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }

Failure Outcome::failure() const {
  const std::string how = WIFSIGNALED(wait_status)
                              ? fmt::format("was ended by signal {}", WTERMSIG(wait_status))
                              : fmt::format("exited with status {}", WEXITSTATUS(wait_status));
  if (output.empty()) return Failure(how + " and printed nothing");
  constexpr std::size_t shown = 200;
  return Failure(fmt::format("{} and printed {}{}", how, dump_json(output.substr(0, shown)),
                             output.size() > shown ? "..." : ""));
}

Outcome run_program(std::vector<std::string> command, std::vector<std::string> environment,
                    std::string_view input) {
  // A parent may have left SIGCHLD ignored, which exec keeps: then the kernel reaps and there is no status.
  (void)::signal(SIGCHLD, SIG_DFL);
  const UniqueFd input_fd = input_file(input);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_failure("pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = spawn(command, environment, input_fd.get(), write_end.get());
  write_end = UniqueFd();
  Outcome outcome;
  try {
    outcome.output = read_output(read_end.get(), pid);
  } catch (const Failure&) {
    read_end = UniqueFd();  // its next write ends it (SIGPIPE)
    (void)wait_for(pid);
    throw;
  }
  outcome.wait_status = wait_for(pid);
  return outcome;
}

}  // namespace onlink::plugin
