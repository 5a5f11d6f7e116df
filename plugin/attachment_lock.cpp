// SPDX-License-Identifier: Apache-2.0
#include "plugin/attachment_lock.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "base/failure.h"
#include "base/file.h"
#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

// One file for all attachments, with a byte for each, which need not exist: nothing is left to be removed.
constexpr const char* file_name = "/attachments";
constexpr std::chrono::milliseconds pause{5};
constexpr std::chrono::seconds longest_wait{10};

// By the open file description, so that only this process has it (fcntl(2), F_OFD_SETLK). False: another one has it.
bool try_lock(int fd, off_t byte, const std::string& path) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) throw system_failure("lock " + path);
  return false;
}

UniqueFd open_lock_file(const std::string& run_dir, const std::string& path) {
  constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  if (UniqueFd fd = try_open(AT_FDCWD, path.c_str(), flags, 0600)) return fd;
  make_directories(run_dir);
  return open_file(AT_FDCWD, path, flags, 0600);
}

}  // namespace

UniqueFd lock_attachment(const cni::Request& request, const NetConf& config, Log& log) try {
  const std::string path = config.run_dir + file_name;
  UniqueFd fd = open_lock_file(config.run_dir, path);
  const off_t byte = lock_byte(request.network, request.attachment);
  for (std::chrono::milliseconds waited{0}; !try_lock(fd.get(), byte, path); waited += pause) {
    if (waited >= longest_wait)
      throw Failure(
          FailureKind::try_again,
          fmt::format("another ADD or DEL of container {}, interface {} has been running for {} s",
                      request.attachment.container_id, request.attachment.ifname, longest_wait.count()));
    std::this_thread::sleep_for(pause);
  }
  return fd;
} catch (const Failure& failure) {
  if (failure.kind() == FailureKind::try_again) throw;
  log.error(
      fmt::format("{}, ignoring: two calls of one attachment may run at the same time", failure.what()));
  return {};
}

}  // namespace onlink::plugin
