// SPDX-License-Identifier: Apache-2.0
// Runs programs and measures each from before its fork to after its exit, with nothing in between that costs more
// than the fork itself: vfork (posix_spawn), a pipe with the whole standard input already in it, wait4.
//
//   timer PARALLEL < jobs > figures
//
// A job is a line of fields separated by tabs:
//   name  timed|quiet  input-file|-  output-file|-  VARIABLE=VALUE ...  --  program argument ...
// A quiet job is run but not told. This program must stay small: the peak memory that the kernel tells of a
// program starts from that of the process that forked it. Jobs run in order, PARALLEL of them at a time. A line for each timed one:
//   name  wall-ns  cpu-ns  peak-KiB  minor-faults
// and a last one "total" with the wall time of all. A job that fails ends it all, with its standard output on
// standard error.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FIELDS = 64, MAX_PARALLEL = 256 };

struct job {
  char *line;  // the fields point into it
  char *name, *input, *output;
  char *environment[MAX_FIELDS], *arguments[MAX_FIELDS];
  int timed;
};

struct running {
  struct job job;
  pid_t pid;
  int output;  // read end of the pipe on its standard output
  long long started;
};

static void die(const char *what) {
  fprintf(stderr, "timer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long nanoseconds(struct timeval time) { return time.tv_sec * 1000000000LL + time.tv_usec * 1000LL; }

static struct job parse(char *line) {
  struct job job = {.line = line};
  line[strcspn(line, "\n")] = '\0';
  job.name = strsep(&line, "\t");
  const char *how = strsep(&line, "\t");
  job.input = strsep(&line, "\t");
  job.output = strsep(&line, "\t");
  int variables = 0, arguments = 0, behind = 0;
  for (char *field; (field = strsep(&line, "\t")) != NULL;) {
    if (variables == MAX_FIELDS - 1 || arguments == MAX_FIELDS - 1) break;
    if (!behind && strcmp(field, "--") == 0)
      behind = 1;
    else if (behind)
      job.arguments[arguments++] = field;
    else
      job.environment[variables++] = field;
  }
  if (!how || !job.output || arguments == 0) {
    errno = EINVAL;
    die(job.name);
  }
  job.timed = strcmp(how, "timed") == 0;
  return job;
}

// A pipe that holds the whole of a file and then ends.
static int open_input(const char *path) {
  if (strcmp(path, "-") == 0) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  static char content[65536];
  int file = open(path, O_RDONLY | O_CLOEXEC), ends[2];
  if (file < 0) die(path);
  const ssize_t size = read(file, content, sizeof content);
  close(file);
  if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], content, (size_t)size) != size) die(path);
  close(ends[1]);
  return ends[0];
}

static struct running start(struct job job) {
  struct running run = {.job = job};
  int output[2], input = open_input(job.input);
  if (pipe2(output, O_CLOEXEC) != 0) die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  run.started = now();
  errno = posix_spawn(&run.pid, job.arguments[0], &actions, NULL, job.arguments, job.environment);
  if (errno) die(job.arguments[0]);
  posix_spawn_file_actions_destroy(&actions);
  close(input);
  close(output[1]);
  run.output = output[0];
  return run;
}

// What it wrote: all of it is in the pipe, for nobody read meanwhile.
static void finish(struct running *run, int status, const struct rusage *used, long long ended) {
  static char output[65536];
  const ssize_t size = read(run->output, output, sizeof output);
  close(run->output);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "timer: %s: status %d: %.*s\n", run->job.name, status, (int)size, output);
    exit(1);
  }
  if (strcmp(run->job.output, "-") != 0) {
    int file = open(run->job.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || write(file, output, (size_t)size) != size) die(run->job.output);
    close(file);
  }
  if (run->job.timed)
    printf("%s\t%lld\t%lld\t%ld\t%ld\n", run->job.name, ended - run->started,
           nanoseconds(used->ru_utime) + nanoseconds(used->ru_stime), used->ru_maxrss, used->ru_minflt);
}

// Waits for one of them, and fills its place with the last.
static void wait_for_one(struct running *runs, int *count) {
  int status;
  struct rusage used;
  const pid_t pid = wait4(-1, &status, 0, &used);
  const long long ended = now();
  if (pid < 0) die("wait4");
  for (int i = 0; i < *count; ++i)
    if (runs[i].pid == pid) {
      finish(&runs[i], status, &used, ended);
      free(runs[i].job.line);
      runs[i] = runs[--*count];
      return;
    }
}

int main(int argc, char **argv) {
  const int parallel = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
  if (parallel < 1 || parallel > MAX_PARALLEL) {
    fprintf(stderr, "usage: timer PARALLEL < jobs\n");
    return 2;
  }
  struct running runs[MAX_PARALLEL];
  int active = 0;
  char *line = NULL;
  size_t room = 0;
  const long long started = now();
  while (getline(&line, &room, stdin) > 0) {
    if (active == parallel) wait_for_one(runs, &active);
    runs[active++] = start(parse(line));
    line = NULL;  // it is the job's now
  }
  while (active > 0) wait_for_one(runs, &active);
  printf("total\t%lld\t0\t0\t0\n", now() - started);
  return 0;
}
