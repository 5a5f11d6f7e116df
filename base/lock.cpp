// SPDX-License-Identifier: Apache-2.0
#include "base/lock.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cerrno>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"

namespace onlink {
namespace {

using Clock = std::chrono::steady_clock;

// For a message: a shorter one is better than none.
std::string read_proc(const std::string& path) {
  constexpr std::size_t limit = 256 << 20;  // all locks of a machine are in one file
  try {
    return read_all(open_file(AT_FDCWD, path, O_RDONLY).get(), path, limit);
  } catch (const Failure&) {
    return {};
  }
}

// Lines of /proc/locks: "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; waiters have "->" in front. The
// device is the superblock's, which stat(2) does not report on every file system: the inode decides. The
// kernel produces the list a page at a time, and an unlock meanwhile moves other locks into the part already
// read: a holder that was not found is looked for again.
std::string holder_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "an unknown process";
  const std::string inode = ":" + std::to_string(status.st_ino);
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::string locks = read_proc("/proc/locks");
    for (const std::string_view line : split(locks, "\n")) {
      if (line.find(inode) == std::string_view::npos) continue;
      const auto words = split(line);
      if (words.size() < 6 || words[1] != "FLOCK" || !words[5].ends_with(inode)) continue;
      const std::string pid(words[4]);
      const std::string name = read_proc("/proc/" + pid + "/comm");
      return "process " + pid + (name.empty() ? "" : " (" + name.substr(0, name.find('\n')) + ")");
    }
  }
  return "a process that /proc/locks does not name";
}

// While it exists, a blocking system call returns EINTR at least every tenth of a second. The timer repeats,
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

// take(wait): the system call, which waits or not. False: not free in time.
template <class Take>
bool take_in_time(const Take& take, const std::string& name, std::chrono::milliseconds timeout) {
  const auto taken = [&](bool wait) {
    if (take(wait) == 0) return true;
    if (errno != EINTR && errno != EWOULDBLOCK && errno != EACCES) throw system_failure("lock " + name);
    return false;
  };
  if (taken(false)) return true;
  const auto deadline = Clock::now() + timeout;
  const Interruptions interruptions;
  while (Clock::now() < deadline)
    if (taken(true)) return true;
  return false;
}

// On one byte or the whole file; it belongs to the open file description.
struct flock exclusive(std::optional<off_t> byte) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte.value_or(0);
  lock.l_len = byte ? 1 : 0;
  return lock;
}

}  // namespace

void lock_exclusively(int fd, const std::string& name, std::chrono::milliseconds timeout) {
  const auto take = [&](bool wait) { return ::flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)); };
  if (take_in_time(take, name, timeout)) return;
  throw Failure(FailureKind::try_again,
                fmt::format("lock {}: held by {} for more than {} ms", name, holder_of(fd), timeout.count()));
}

bool lock_byte(int fd, off_t byte, const std::string& name, std::chrono::milliseconds timeout) {
  struct flock lock = exclusive(byte);
  const auto take = [&](bool wait) { return ::fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock); };
  return take_in_time(take, name, timeout);
}

void lock_new_file(int fd, const std::string& name) {
  struct flock lock = exclusive({});
  if (::fcntl(fd, F_OFD_SETLK, &lock) != 0) throw system_failure("lock " + name);
}

bool is_locked(int fd, const std::string& name, std::optional<off_t> byte) {
  struct flock lock = exclusive(byte);
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0)
    throw Failure(FailureKind::try_again, system_failure("test the lock on " + name).what());
  return lock.l_type != F_UNLCK;
}

void unlock(int fd) noexcept {
  struct flock lock = exclusive({});
  lock.l_type = F_UNLCK;
  (void)::fcntl(fd, F_OFD_SETLK, &lock);
}

}  // namespace onlink
