// SPDX-License-Identifier: Apache-2.0
#include "base/wait.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/failure.h"

namespace onlink {

Descriptors::Descriptors(std::string what) : what_(std::move(what)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw system_failure(what_);
}

void Descriptors::add(int descriptor) const {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) throw system_failure(what_);
}

Timer::Timer(const std::string& what) : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!fd_) throw system_failure(what);
}

void Timer::set(std::int64_t milliseconds) const {
  itimerspec when{};
  if (milliseconds > 0)
    when.it_value = {milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  else
    when.it_value = {0, 1};  // zero would stop it
  (void)::timerfd_settime(fd_.get(), 0, &when, nullptr);
}

void Timer::stop() const {
  const itimerspec never{};
  (void)::timerfd_settime(fd_.get(), 0, &never, nullptr);
}

bool Timer::expired() const {
  std::uint64_t times = 0;
  if (::read(fd_.get(), &times, sizeof times) > 0) return true;
  if (errno != EAGAIN && errno != EINTR) throw system_failure("read a timer");
  return false;
}

}  // namespace onlink
