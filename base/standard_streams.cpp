// SPDX-License-Identifier: Apache-2.0
#include "base/standard_streams.h"

#include <fcntl.h>
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

void print_error(std::string_view line) noexcept { (void)try_write(STDERR_FILENO, line); }

}  // namespace onlink
