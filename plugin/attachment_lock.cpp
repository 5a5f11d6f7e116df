// SPDX-License-Identifier: Apache-2.0
#include "plugin/attachment_lock.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/lock.h"
#include "plugin/identity.h"

namespace onlink::plugin {
namespace {

// One file for all attachments, with a byte for each, which need not exist: nothing is left to be removed.
constexpr const char* file_name = "/attachments";
constexpr std::chrono::seconds longest_wait{10};

UniqueFd open_lock_file(const std::string& run_dir, const std::string& path) {
  constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  if (UniqueFd fd = try_open(AT_FDCWD, path.c_str(), flags, 0600)) return fd;
  make_directories(run_dir);
  return open_file(AT_FDCWD, path, flags, 0600);
}

}  // namespace

AttachmentLock::~AttachmentLock() {
  if (file_) unlock(file_.get());
}

AttachmentLock lock_attachment(const cni::Request& request, const NetConf& config, Log& log) try {
  const std::string path = config.run_dir + file_name;
  UniqueFd fd = open_lock_file(config.run_dir, path);
  const off_t byte = byte_of(request.network, request.attachment);
  if (!lock_byte(fd.get(), byte, path, longest_wait))
    throw Failure(
        FailureKind::try_again,
        fmt::format("another ADD or DEL of container {}, interface {} has been running for {} s",
                    request.attachment.container_id, request.attachment.ifname, longest_wait.count()));
  (void)::fcntl(fd.get(), F_SETFD, 0);  // not FD_CLOEXEC
  return AttachmentLock(std::move(fd));
} catch (const Failure& failure) {
  if (failure.kind() == FailureKind::try_again) throw;
  log.error(
      fmt::format("{}, ignoring: two calls of one attachment may run at the same time", failure.what()));
  return {};
}

RunningCalls::RunningCalls(const NetConf& config)
    : path_(config.run_dir + file_name),
      file_(try_open(AT_FDCWD, path_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)) {}

bool RunningCalls::include(off_t byte) const { return file_ && is_locked(file_.get(), path_, byte); }

}  // namespace onlink::plugin
