// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "base/clock.h"
#include "base/failure.h"
#include "base/uninterrupted.h"
#include "base/unique_fd.h"

namespace onlink {
namespace {

class SpawnActions {
 public:
  explicit SpawnActions(int output) {
    (void)::posix_spawn_file_actions_init(&actions_);
    (void)::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    (void)::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
  }
  SpawnActions(const SpawnActions&) = delete;
  ~SpawnActions() { (void)::posix_spawn_file_actions_destroy(&actions_); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// Waits until fd has input or hangs up. False where the time end (monotonic_ms) comes first.
bool wait_for_input(int fd, std::int64_t end) {
  pollfd event{fd, POLLIN, 0};
  const auto left = std::max<std::int64_t>(0, end - monotonic_ms());
  return uninterrupted([&] { return ::poll(&event, 1, static_cast<int>(left)); }) != 0;
}

// Why to kill it; empty where it has ended.
std::string read_output(int fd, pid_t pid, const CommandLimits& limits, std::string& text) {
  const std::int64_t end = monotonic_ms() + limits.time.count();
  const std::string too_long = fmt::format("did not end within {} s: killed", limits.time.count() / 1000);
  char buffer[16384];
  for (;;) {
    if (!wait_for_input(fd, end)) return too_long;
    const ssize_t count = uninterrupted([&] { return ::read(fd, buffer, sizeof buffer); });
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > limits.bytes) return fmt::format("printed more than {} bytes: killed", limits.bytes);
  }
  // It may have closed its output and still run. Before Linux 5.3 (no pidfd_open) that cannot be seen.
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return !process || wait_for_input(process.get(), end) ? "" : too_long;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace

CommandOutput run_for_output(const std::vector<std::string>& command, const CommandLimits& limits) {
  (void)::signal(SIGCHLD, SIG_DFL);  // a parent may have left it ignored: then waitpid has no status
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return {.text = {}, .failure = std::string(system_failure("pipe").what())};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<std::string> words = command;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const SpawnActions actions(write_end.get());
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, pointers[0], actions.get(), nullptr, pointers.data(), environ);
  write_end = UniqueFd();
  if (error != 0)
    return {.text = {}, .failure = std::string(system_failure("run " + command[0], error).what())};
  CommandOutput output;
  output.failure = read_output(read_end.get(), pid, limits, output.text);
  if (!output.failure.empty()) (void)::kill(pid, SIGKILL);
  int status = 0;
  (void)uninterrupted([&] { return ::waitpid(pid, &status, 0); });
  if (output.failure.empty()) output.failure = how_it_ended(status);
  return output;
}

}  // namespace onlink
