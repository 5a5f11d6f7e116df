// SPDX-License-Identifier: Apache-2.0
// Many processes attach and detach on one network at once, some of their plugin processes are killed at
// random, and some attachments die without DEL. Fails if an address is held by two at a time, if any call
// fails that should not, or if one is refused because addresses were lost.
//
//   ipam_hammer FOLDER PLUGIN[,PLUGIN...] PROCESSES CYCLES KILL-PERCENT LOSE-PERCENT [SEED] < CONFIGURATION
//
// CYCLES is the number of ADDs of all processes together. FOLDER must be empty; namespaces are files in it. A
// process that was killed in ADD leaves the attachment as a runtime would: it calls DEL, or the attachment is
// lost, its namespace gone.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"

namespace {

using namespace onlink;

struct Plan {
  std::string folder;
  std::vector<std::string> plugins;
  unsigned processes;
  unsigned cycles;
  unsigned kill_percent;
  unsigned lose_percent;
  unsigned seed;
};

// Shared by all workers.
struct Counts {
  std::atomic<unsigned> kills;
  std::atomic<unsigned> losses;
};

struct Outcome {
  bool killed;
  int status;
  std::string output;
};

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "ipam_hammer: %s\n", text.c_str());
  std::_Exit(1);
}

class Worker {
 public:
  Worker(const Plan& plan, unsigned number)
      : plan_(plan), name_("w" + std::to_string(number)), random_(plan.seed * 1000 + number) {
    output_ = open_file(AT_FDCWD, plan.folder + "/out-" + name_, O_RDWR | O_CREAT | O_TRUNC, 0600);
  }

  void run(unsigned cycles) {
    for (unsigned i = 0; i < cycles; ++i) cycle(name_ + "-" + std::to_string(i));
  }

  unsigned kills = 0;
  unsigned losses = 0;

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::string netns(const std::string& container) const { return plan_.folder + "/ns/" + container; }

  void cycle(const std::string& container) {
    open_file(AT_FDCWD, netns(container), O_WRONLY | O_CREAT | O_EXCL, 0600);
    const Outcome added = call("ADD", container, chance(plan_.kill_percent));
    std::string claim;
    if (!added.killed) {
      if (added.status != 0) die("ADD " + container + ": " + added.output);
      claim = claim_address(container, added.output);
    }
    if (!claim.empty() && ::unlink(claim.c_str()) != 0) die("the claim " + claim + " is gone");
    if (chance(plan_.lose_percent)) {
      (void)::unlink(netns(container).c_str());
      ++losses;
      return;
    }
    while (true) {
      const Outcome deleted = call("DEL", container, chance(plan_.kill_percent / 2));
      if (deleted.killed) continue;
      if (deleted.status != 0) die("DEL " + container + ": " + deleted.output);
      break;
    }
    (void)::unlink(netns(container).c_str());
  }

  // Between ADD and DEL the address is ours alone: a file that only one can make.
  std::string claim_address(const std::string& container, const std::string& output) {
    const auto key = output.find("\"address\"");
    if (key == std::string::npos) die("ADD " + container + " gave no address: " + output);
    const auto start = output.find('"', output.find(':', key)) + 1;
    const std::string claim =
        plan_.folder + "/claims/" + output.substr(start, output.find('/', start) - start);
    const UniqueFd fd(::open(claim.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd)
      die(claim + " is held twice: by " + container + " and " + read_file(AT_FDCWD, claim).value_or("?"));
    write_all(fd.get(), container, claim);
    ::usleep(static_cast<useconds_t>(random_() % 2000));
    return claim;
  }

  Outcome call(const std::string& command, const std::string& container, bool kill) {
    if (::ftruncate(output_.get(), 0) != 0 || ::lseek(output_.get(), 0, SEEK_SET) != 0) die("output");
    const std::string& plugin = plan_.plugins[random_() % plan_.plugins.size()];
    std::vector<std::string> environment{"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + container,
                                         "CNI_IFNAME=eth0", "CNI_NETNS=" + netns(container),
                                         "CNI_PATH=/nowhere"};
    std::vector<char*> pointers;
    for (std::string& variable : environment) pointers.push_back(variable.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const std::string config = plan_.folder + "/config";
    ::posix_spawn_file_actions_addopen(&actions, 0, config.c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output_.get(), 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    char* arguments[] = {const_cast<char*>(plugin.c_str()), nullptr};
    pid_t child = 0;
    if (::posix_spawn(&child, plugin.c_str(), &actions, nullptr, arguments, pointers.data()) != 0)
      die("spawn");
    ::posix_spawn_file_actions_destroy(&actions);
    if (kill) {
      ::usleep(static_cast<useconds_t>(random_() % 3000));
      (void)::kill(child, SIGKILL);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) die("waitpid");
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) die(plugin + " died of a signal: " + container);
    const bool killed = WIFSIGNALED(status);
    kills += killed ? 1 : 0;
    if (::lseek(output_.get(), 0, SEEK_SET) != 0) die("output");
    return {killed, WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_all(output_.get(), "output")};
  }

  const Plan& plan_;
  std::string name_;
  std::mt19937 random_;
  UniqueFd output_;
};

unsigned number(const char* text) { return static_cast<unsigned>(std::strtoul(text, nullptr, 10)); }

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

int hammer(const Plan& plan) {
  make_directories(plan.folder + "/claims");
  make_directories(plan.folder + "/ns");
  replace_file(AT_FDCWD, plan.folder + "/config", read_all(STDIN_FILENO, "configuration"));
  auto* const counts = static_cast<Counts*>(
      ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (counts == MAP_FAILED) die("mmap");
  const auto begun = std::chrono::steady_clock::now();
  std::vector<pid_t> children;
  for (unsigned i = 0; i < plan.processes; ++i) {
    const pid_t child = ::fork();
    if (child < 0) die("fork");
    if (child == 0) {
      Worker worker(plan, i);
      worker.run(plan.cycles / plan.processes);
      counts->kills += worker.kills;
      counts->losses += worker.losses;
      std::_Exit(0);
    }
    children.push_back(child);
  }
  int failed = 0;
  for (std::size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    (void)::wait(&status);
    if (status != 0 && failed++ == 0)
      for (const pid_t child : children) (void)::kill(child, SIGTERM);
  }
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  std::printf("%u cycles by %u processes in %ld ms: %u calls killed, %u attachments lost\n", plan.cycles,
              plan.processes, static_cast<long>(time.count()), counts->kills.load(), counts->losses.load());
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7)
    die("usage: FOLDER PLUGIN[,PLUGIN...] PROCESSES CYCLES KILL-PERCENT LOSE-PERCENT [SEED] < CONFIGURATION");
  try {
    return hammer({argv[1], split(argv[2]), number(argv[3]), number(argv[4]), number(argv[5]),
                   number(argv[6]), argc > 7 ? number(argv[7]) : 1});
  } catch (const std::exception& error) {
    die(error.what());
  }
}
