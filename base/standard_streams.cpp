// SPDX-License-Identifier: Apache-2.0
#include "base/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace onlink {

void hold_standard_streams() noexcept {
  // open(2) gives the lowest free number: all below are taken.
  for (const int fd : {0, 1, 2})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

bool print(std::string_view text) noexcept { return try_write(STDOUT_FILENO, text); }

bool print_for_a_while(std::string_view text) noexcept {
  const bool screen = ::isatty(STDOUT_FILENO) != 0;
  if (!print(screen ? "\033[H\033[2J" : "") || !print(text) || !print(screen ? "" : "\n")) return false;
  constexpr int pause_ms = 2000;
  (void)::poll(nullptr, 0, pause_ms);  // a signal that does not end the program only shortens it
  return true;
}

void print_error(std::string_view line) noexcept { (void)try_write(STDERR_FILENO, line); }

}  // namespace onlink
