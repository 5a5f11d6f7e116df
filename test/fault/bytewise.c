// SPDX-License-Identifier: Apache-2.0
// Runs a program of which each read and write moves one byte at most, as a file system or a pipe may do at any time
// (read(2), write(2)): read, write, pread64 and pwrite64 are called with the length 1, in children as well.
//
//   bytewise PROGRAM [ARGUMENT...]
//
// The loader of a program that is linked dynamically does not bear it. There it begins when the loader has ended: with
// munmap, of its cache.
// Standard streams, environment and exit status are the program's.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int begun;

static void die(const char *what) {
  fprintf(stderr, "bytewise: %s: %s\n", what, strerror(errno));
  exit(125);
}

// The third argument of the system call at whose entry the process stands.
static void set_length(pid_t pid, unsigned long length) {
  struct user_regs_struct registers;
  struct iovec place = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &place) != 0) return;  // killed meanwhile
#if defined(__x86_64__)
  registers.rdx = length;
#elif defined(__aarch64__)
  registers.regs[2] = length;
#else
#error "which register has a system call's third argument?"
#endif
  ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &place);
}

static int is_transfer(unsigned long long call) {
  return call == SYS_read || call == SYS_write || call == SYS_pread64 || call == SYS_pwrite64;
}

static void at_system_call(pid_t pid) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0) return;  // killed meanwhile
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
  if (info.entry.nr == SYS_munmap) begun = 1;
  if (begun && is_transfer(info.entry.nr) && info.entry.args[2] > 1) set_length(pid, 1);
}

// Returns the signal that the stopped process is to get now.
static int at_stop(pid_t pid, int status) {
  const int signal = WSTOPSIG(status);
  if (signal == (SIGTRAP | 0x80)) at_system_call(pid);
  const int is_news_of_ptrace = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
  return is_news_of_ptrace ? 0 : signal;
}

static int has_loader(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/auxv", pid);
  FILE *file = fopen(path, "re");
  if (!file) die(path);
  Elf64_auxv_t entry;
  int found = 0;
  while (fread(&entry, sizeof entry, 1, file) == 1)
    if (entry.a_type == AT_BASE) found = entry.a_un.a_val != 0;
  fclose(file);
  return found;
}

int main(int count, char **arguments) {
  if (count < 2) {
    fputs("usage: bytewise PROGRAM [ARGUMENT...]\n", stderr);
    return 64;
  }
  const pid_t first = fork();
  if (first < 0) die("fork");
  if (first == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) die("PTRACE_TRACEME");
    execv(arguments[1], arguments + 1);
    die(arguments[1]);
  }
  int status;
  if (waitpid(first, &status, 0) != first) die("waitpid");
  const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                       PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  begun = !has_loader(first);
  if (ptrace(PTRACE_SETOPTIONS, first, NULL, (void *)options) != 0) die("PTRACE_SETOPTIONS");
  ptrace(PTRACE_SYSCALL, first, NULL, NULL);
  int answer = 125;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (WIFSTOPPED(status))
      ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)at_stop(pid, status));
    else if (pid == first)
      answer = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return answer;
}
