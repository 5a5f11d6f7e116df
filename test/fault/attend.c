// SPDX-License-Identifier: Apache-2.0
// Runs a CNI plugin, and is there at the moment when it ends: tells its peak memory, and connects to each address of its
// result at once.
//
//   attend REPORT PORT PROGRAM
//
// Standard input, output, environment and exit status are the program's. The file REPORT gets, a line each:
//   peak KIB
//   connected ADDRESS LATE ERROR LOST    microseconds from the program's end to the try; errno, or 0; how many packets
//                                        the TCP connection had to send again until it stood
// The connections are reset at once, so that they leave nothing behind. Must stay small: the peak memory that the kernel
// tells of a program starts from that of the process that forked it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_RESULT = 65536, CONNECT_LIMIT_MS = 20000 };

static char result[LONGEST_RESULT + 1];

static long long now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void die(const char *what) {
  fprintf(stderr, "attend: %s: %s\n", what, strerror(errno));
  exit(125);
}

// Returns the exit status as a shell tells it; the program's standard output is in `result`.
static int run(char *program, struct rusage *used) {
  int ends[2];
  if (pipe(ends) != 0) die("pipe");
  const pid_t pid = vfork();
  if (pid < 0) die("vfork");
  if (pid == 0) {
    if (dup2(ends[1], 1) == 1 && close(ends[0]) == 0 && close(ends[1]) == 0) execl(program, program, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  size_t size = 0;
  ssize_t count;
  while (size < LONGEST_RESULT && (count = read(ends[0], result + size, LONGEST_RESULT - size)) > 0)
    size += (size_t)count;
  close(ends[0]);
  int status = 0;
  if (wait4(pid, &status, 0, used) != pid) die("wait4");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Returns 0 or an errno.
static int connect_to(const char *address, const char *port, unsigned *lost) {
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)strtoul(port, NULL, 10))};
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port};
  const int is_v6 = strchr(address, ':') != NULL;
  if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
    return EINVAL;
  const int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  int error = 0;
  socklen_t length = sizeof error;
  const int begun = is_v6 ? connect(fd, (const struct sockaddr *)&v6, sizeof v6)
                          : connect(fd, (const struct sockaddr *)&v4, sizeof v4);
  struct pollfd wait = {.fd = fd, .events = POLLOUT};
  if (begun != 0 && errno != EINPROGRESS)
    error = errno;
  else if (begun != 0 && poll(&wait, 1, CONNECT_LIMIT_MS) != 1)
    error = ETIMEDOUT;
  else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    error = errno;
  struct tcp_info info = {0};
  length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) *lost = info.tcpi_total_retrans;
  const struct linger reset = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
  return error;
}

static void connect_to_all(const char *port, long long ended, FILE *report) {
  static const char key[] = "\"address\":\"";
  for (const char *at = result; (at = strstr(at, key)) != NULL;) {
    at += sizeof key - 1;
    char address[INET6_ADDRSTRLEN] = "";
    const size_t length = strcspn(at, "/\"");
    if (length >= sizeof address) continue;
    memcpy(address, at, length);
    const long long begun = now_us();
    unsigned lost = 0;
    const int error = connect_to(address, port, &lost);
    fprintf(report, "connected %s %lld %d %u\n", address, begun - ended, error, lost);
  }
}

int main(int count, char **arguments) {
  if (count != 4) {
    fputs("usage: attend REPORT PORT PROGRAM\n", stderr);
    return 64;
  }
  struct rusage used;
  const int status = run(arguments[3], &used);
  const long long ended = now_us();
  FILE *report = fopen(arguments[1], "we");
  if (!report) die(arguments[1]);
  connect_to_all(arguments[2], ended, report);
  fprintf(report, "peak %ld\n", used.ru_maxrss);
  if (fclose(report) != 0) die(arguments[1]);
  fputs(result, stdout);
  return fflush(stdout) == 0 ? status : 125;
}
