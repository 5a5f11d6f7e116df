// SPDX-License-Identifier: Apache-2.0
#include "node/probe/tcp.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/clock.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace onlink::node {
namespace {

constexpr std::uint16_t port = 1;  // tcpmux: nobody runs it
constexpr std::int64_t wait_ms = 500;
constexpr std::size_t at_once = 200;  // descriptors

UniqueFd begin(const IpAddress& address) {
  SocketAddress where(address, port);
  UniqueFd fd(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd) (void)::connect(fd.get(), where.get(), where.length);  // poll(2) tells how it ends
  return fd;
}

bool has_answered(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
         (error == 0 || error == ECONNREFUSED);
}

void ask(std::span<const IpAddress> addresses, std::size_t first, std::vector<bool>& answered) {
  std::vector<UniqueFd> connections;
  std::vector<pollfd> open;
  for (std::size_t i = first; i < std::min(first + at_once, addresses.size()); ++i) {
    connections.push_back(begin(addresses[i]));
    open.push_back({connections.back().get(), POLLOUT, 0});
  }
  const std::int64_t end = monotonic_ms() + wait_ms;
  for (;;) {
    const std::int64_t left = end - monotonic_ms();
    const bool any = std::any_of(open.begin(), open.end(), [](const pollfd& each) { return each.fd >= 0; });
    if (!any || left <= 0) return;
    if (::poll(open.data(), open.size(), static_cast<int>(left)) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      answered[first + i] = has_answered(open[i].fd);
      open[i].fd = -1;
    }
  }
}

}  // namespace

std::vector<bool> answer_tcp(std::span<const IpAddress> addresses) {
  std::vector<bool> answered(addresses.size());
  for (std::size_t first = 0; first < addresses.size(); first += at_once) ask(addresses, first, answered);
  return answered;
}

}  // namespace onlink::node
