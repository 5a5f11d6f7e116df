// SPDX-License-Identifier: Apache-2.0
#include "ipam/lock.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::ipam {
namespace {

using Clock = std::chrono::steady_clock;

// The name of a process, for people.
std::string describe_process(const std::string& pid) {
  const auto name = read_file(AT_FDCWD, "/proc/" + pid + "/comm");
  return "process " + pid + (name ? " (" + name->substr(0, name->find('\n')) + ")" : "");
}

// Lines of /proc/locks: "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; those that wait have "->" in
// front. The device there is that of the superblock, which stat(2) does not tell on every file system: the
// inode decides.
std::string holder_of(int fd) {
  struct stat status {};
  const auto locks = read_file(AT_FDCWD, "/proc/locks");
  if (!locks || ::fstat(fd, &status) != 0) return "an unknown process";
  const std::string inode = ":" + std::to_string(status.st_ino);
  std::string_view rest = *locks;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      if (end > at) words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (words.size() >= 6 && words[1] == "FLOCK" && words[5].ends_with(inode))
      return describe_process(std::string(words[4]));
  }
  return "a process that /proc/locks does not name";
}

// While it exists, blocking system calls return with EINTR at least every tenth of a second. Repeating,
// because a single signal could come just before the call that it is to interrupt.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) {};  // without SA_RESTART
    ::sigaction(SIGALRM, &interrupt, &old_action_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::sigprocmask(SIG_UNBLOCK, &alarm, &old_mask_);
    const itimerval often{{0, 100'000}, {0, 100'000}};
    ::setitimer(ITIMER_REAL, &often, &old_timer_);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() {
    ::setitimer(ITIMER_REAL, &old_timer_, nullptr);
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    ::sigaction(SIGALRM, &old_action_, nullptr);
  }

 private:
  struct sigaction old_action_ {};
  sigset_t old_mask_{};
  itimerval old_timer_{};
};

bool try_lock(int fd, int how, const std::string& name) {
  if (::flock(fd, LOCK_EX | how) == 0) return true;
  if (errno != EINTR && errno != EWOULDBLOCK) throw system_failure("lock " + name);
  return false;
}

}  // namespace

void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout) {
  if (try_lock(fd, LOCK_NB, name)) return;
  const auto deadline = Clock::now() + timeout;
  const Interruptions interruptions;
  while (Clock::now() < deadline)
    if (try_lock(fd, 0, name)) return;
  throw Failure(FailureKind::try_again,
                fmt::format("lock {}: held by {} for more than {} ms", name, holder_of(fd), timeout.count()));
}

}  // namespace onlink::ipam
