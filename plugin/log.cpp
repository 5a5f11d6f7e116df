// SPDX-License-Identifier: Apache-2.0
#include "plugin/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "cni/error.h"

namespace onlink::plugin {
namespace {

constexpr std::string_view level_names[] = {"error", "info", "debug"};

std::string utc_now() {
  const timespec now = time_by(CLOCK_REALTIME);
  std::string text = in_utc(now.tv_sec);
  text.back() = '.';  // for the "Z"
  return text + fmt::format("{:03}Z", now.tv_nsec / 1'000'000);
}

// "ADD <container>:<ifname>"; STATUS and GC are about no container.
std::string subject_of(const cni::Request& request) {
  const auto command = to_string(request.command);
  const auto& attachment = request.attachment;
  if (attachment.container_id.empty()) return std::string(command);
  return fmt::format("{} {}:{}", command, attachment.container_id, attachment.ifname);
}

void write_line(int fd, const std::string& line) {
  // One write(2) per line: lines of plugins that run at the same time do not mix (O_APPEND). A log that
  // cannot be written must not fail an attachment.
  (void)try_write(fd, line);
}

}  // namespace

Log::Log(const NetConf& config, const cni::Request& request)
    : level_(config.log_level),
      is_status_(request.command == cni::Command::status),
      subject_(subject_of(request)),
      last_step_(monotonic_ns()) {
  if (config.log_file.empty()) return;
  file_ = try_open(AT_FDCWD, config.log_file.c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0640);
  std::string reason = file_ ? "" : errno_name(errno);
  struct stat status {};
  // A link may have been planted to make us write into someone's file.
  if (file_ && (::fstat(file_.get(), &status) != 0 || (S_ISREG(status.st_mode) && status.st_nlink != 1)))
    reason = "it has another name (a hard link)";
  if (reason.empty()) return;
  file_ = UniqueFd();
  write_line(STDERR_FILENO, fmt::format("onlink: log.file {}: {}, ignoring\n", config.log_file, reason));
}

void Log::step(std::string_view what) {
  if (!file_) return;
  const std::int64_t now = monotonic_ns();
  write(LogLevel::info, fmt::format("{}: {:.2f} ms", what, static_cast<double>(now - last_step_) / 1e6));
  last_step_ = now;
}

void Log::fail(const Failure& failure) {
  const unsigned code = is_status_ ? cni::status_error_code(failure) : cni::error_code(failure);
  write(LogLevel::error, file_ ? fmt::format("code {}: {}", code, failure.what()) : failure.what());
}

void Log::write(LogLevel level, std::string_view text) {
  if (level > level_) return;
  if (file_)
    write_line(file_.get(),
               fmt::format("{} {} {} {}\n", utc_now(), level_names[static_cast<int>(level)], subject_, text));
  else if (level == LogLevel::error)
    write_line(STDERR_FILENO, fmt::format("onlink: {} {}\n", subject_, text));
}

}  // namespace onlink::plugin
