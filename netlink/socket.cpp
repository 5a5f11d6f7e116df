// SPDX-License-Identifier: Apache-2.0
#include "netlink/socket.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/uninterrupted.h"
#include "netlink/attributes.h"
#include "netlink/datagram.h"
#ifdef ONLINK_FAULTS
#include "netlink/refusal_for_test.h"
#endif

namespace onlink::netlink {
namespace {

constexpr int receive_seconds = 10;
constexpr int dump_attempts = 20;

void set_option(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0)
    throw system_failure(fmt::format("set netlink socket option {}", name));
}

// The errno in a status of the kernel: 0 is success, a negative number is the errno, negated (netlink(7)).
// Anything else makes no sense, and is EPROTO.
int errno_of(int status) {
  constexpr int largest = 4095;  // MAX_ERRNO in include/linux/err.h
  return status > 0 || status < -largest ? EPROTO : -status;
}

// The errno in an NLMSG_DONE; 0 where the dump is complete (older kernels send no payload).
int dump_outcome(const nlmsghdr& message) {
  int outcome = 0;
  if (mnl_nlmsg_get_payload_len(&message) >= sizeof outcome)
    std::memcpy(&outcome, mnl_nlmsg_get_payload(&message), sizeof outcome);
  return errno_of(outcome);
}

// Only a build for tests refuses what the kernel would not (refusal_for_test.h).
#ifdef ONLINK_FAULTS
int refused_for_test() { return next_refusal(); }
#else
constexpr int refused_for_test() { return 0; }
#endif

}  // namespace

Socket Socket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) throw system_failure("open netlink socket");
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1, "NETLINK_EXT_ACK");
  set_option(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1, "NETLINK_CAP_ACK");
  set_option(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1, "NETLINK_GET_STRICT_CHK");
  const timeval limit{receive_seconds, 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    throw system_failure("set netlink receive timeout");
  return Socket(std::move(fd));
}

Socket Socket::open_in(const Netns& netns, const Netns& home) {
  const NetnsScope inside(netns, home);
  return open();
}

void Socket::send(std::span<const char> bytes, const Message& about) {
  if (uninterrupted([&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); }) < 0)
    throw system_failure("send to the kernel: " + about.what());
}

void Socket::receive(const Message& about, const Answer& each) {
  // The size first: messages may have any (a route of many next hops, a link of many neighbours).
  const ssize_t size = uninterrupted([&] { return ::recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC); });
  // Not zeroed: an answer touches only the pages that it fills, mostly one. Not on the stack, which may be
  // small.
  if (!buffer_ || size > static_cast<ssize_t>(buffer_size_)) {
    buffer_size_ = std::max(least_buffer_, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size_);
  }
  const auto datagram = size < 0 ? std::nullopt : receive_datagram(fd_.get(), {buffer_.get(), buffer_size_});
  if (!datagram && (errno == EAGAIN || errno == EWOULDBLOCK))
    throw Failure(FailureKind::try_again,
                  fmt::format("{}: no answer from the kernel in {} s", about.what(), receive_seconds),
                  ETIMEDOUT);
  if (!datagram) throw system_failure(about.what() + ": receive the kernel's answer");
  if (datagram->is_cut_off)
    throw Failure(fmt::format("{}: the kernel's answer is larger than {} bytes", about.what(), buffer_size_),
                  EMSGSIZE);
  if (datagram->is_from_kernel) for_each_message(datagram->messages, each);
}

std::uint32_t Socket::port() const {
  sockaddr_nl own{};
  socklen_t length = sizeof own;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0)
    throw system_failure("ask for the netlink socket's port id");
  return own.nl_pid;
}

std::optional<std::uint64_t> Socket::netns_cookie() const {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0) return std::nullopt;
  return cookie;
}

std::vector<std::optional<Failure>> Socket::execute_each(std::span<Message> messages,
                                                         const BatchAnswer& answer) {
  std::vector<std::optional<Failure>> outcomes(messages.size());
  for (std::size_t at = 0; at < messages.size(); at += batch) {
    const std::size_t count = std::min(batch, messages.size() - at);
    const auto place = [&](std::size_t in_chunk, const nlmsghdr& message) {
      if (answer) answer(at + in_chunk, message);
    };
    execute_chunk(messages.subspan(at, count), place, std::span(outcomes).subspan(at, count));
  }
  return outcomes;
}

void Socket::execute(std::span<Message> messages, const Answer& answer) {
  const auto any = [&](std::size_t, const nlmsghdr& message) {
    if (answer) answer(message);
  };
  for (auto& outcome : execute_each(messages, any))
    if (outcome) throw std::move(*outcome);
}

std::optional<Failure> Socket::ask(Message& question, const Answer& answer) {
  std::optional<Failure> outcome;
  const auto any = [&](std::size_t, const nlmsghdr& message) { answer(message); };
  execute_chunk({&question, 1}, any, {&outcome, 1});
  return outcome;
}

void Socket::execute_chunk(std::span<Message> messages, const BatchAnswer& answer,
                           std::span<std::optional<Failure>> outcomes) {
  // Only the last message asks for an acknowledgement, and a question not even that. Refusals are always
  // sent, and the kernel works in order, so the reply to the last message ends the conversation.
  const std::uint32_t first = sequence_ + 1;
  std::vector<char> bytes;
  bytes.reserve(messages.size() * 256);
  Message& last = messages.back();
  if (!last.is_question()) last.raw()->nlmsg_flags |= NLM_F_ACK;
  for (Message& message : messages) {
    message.raw()->nlmsg_seq = ++sequence_;
    if (const int error = refused_for_test(); error != 0) {
      outcomes[message.raw()->nlmsg_seq - first] = message.refusal(error, "");
      message.raw()->nlmsg_type = NLMSG_NOOP;  // the kernel skips it
      last.raw()->nlmsg_flags |= NLM_F_ACK;
    }
    const auto* start = reinterpret_cast<const char*>(message.raw());
    bytes.insert(bytes.end(), start, start + message.raw()->nlmsg_len);
  }
  send(bytes, last);
  for (bool done = false; !done;) {
    receive(last, [&](const nlmsghdr& received) {
      const std::uint32_t place = received.nlmsg_seq - first;
      if (place >= messages.size()) return;  // an answer to something given up earlier
      if (received.nlmsg_type != NLMSG_ERROR) {
        answer(place, received);
      } else {
        const Refusal refusal = parse_refusal(received);
        if (refusal.error != 0)
          outcomes[place] = messages[place].refusal(refusal.error, refusal.extended_ack);
      }
      done = done ||
             (place == messages.size() - 1 && (received.nlmsg_type == NLMSG_ERROR || last.is_question()));
    });
  }
}

std::optional<Failure> Socket::execute_whole(std::span<Message> messages) {
  const std::uint32_t first = sequence_ + 1;
  std::vector<char> bytes;
  for (Message& message : messages) {
    message.raw()->nlmsg_seq = ++sequence_;
    if (const int error = refused_for_test(); error != 0) return message.refusal(error, "");
    const auto* start = reinterpret_cast<const char*>(message.raw());
    bytes.insert(bytes.end(), start, start + message.raw()->nlmsg_len);
  }
  // It must go in one piece, however large, and each message may be refused (see `batch`).
  set_option(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, static_cast<int>(bytes.size() + 4096), "SO_SNDBUFFORCE");
  if (messages.size() > batch)
    set_option(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, static_cast<int>(messages.size() * 1024),
               "SO_RCVBUFFORCE");
  const Message& about = messages.back();
  send(bytes, about);
  // The kernel has done its work when send returns, and reports only refusals.
  std::optional<Failure> refused;
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  while (uninterrupted([&] { return ::poll(&waiting, 1, 0); }) > 0)
    receive(about, [&](const nlmsghdr& received) {
      const std::uint32_t place = received.nlmsg_seq - first;
      if (received.nlmsg_type != NLMSG_ERROR || place >= messages.size() || refused) return;
      const Refusal refusal = parse_refusal(received);
      if (refusal.error != 0) refused = messages[place].refusal(refusal.error, refusal.extended_ack);
    });
  return refused;
}

bool Socket::dump_until(const Message& request, const std::function<bool(const nlmsghdr&)>& is_it) {
  // While we read one datagram, the kernel fills the next: small ones, as few of them are needed.
  least_buffer_ = 0;
  bool found = false;
  run_dump(
      request, [] {}, [&](const nlmsghdr& message) { found = found || is_it(message); }, found);
  return found;
}

void Socket::run_dump(const Message& request, const std::function<void()>& restart, const Answer& each,
                      const bool& enough) {
  for (int attempt = 0; attempt < dump_attempts; ++attempt) {
    restart();
    if (dump_once(request, each, enough) || enough) return;
  }
  throw Failure(FailureKind::try_again,
                fmt::format("{}: interrupted by changes {} times in a row", request.what(), dump_attempts),
                EINTR);
}

bool Socket::dump_once(Message request, const Answer& each, const bool& enough) {
  request.raw()->nlmsg_flags |= NLM_F_DUMP;
  request.raw()->nlmsg_seq = ++sequence_;
  if (const int error = refused_for_test(); error != 0) throw request.refusal(error, "");
  send({reinterpret_cast<const char*>(request.raw()), request.raw()->nlmsg_len}, request);
  bool whole = true;
  for (bool done = false; !done && !enough;) {
    receive(request, [&](const nlmsghdr& received) {
      if (received.nlmsg_seq != sequence_) return;
      if ((received.nlmsg_flags & NLM_F_DUMP_INTR) != 0) whole = false;
      if (received.nlmsg_type == NLMSG_ERROR) {
        const Refusal refusal = parse_refusal(received);
        if (refusal.error != 0) throw request.refusal(refusal.error, refusal.extended_ack);
      } else if (received.nlmsg_type == NLMSG_DONE) {
        // A dump that cannot go on ends with the errno in its last message (netlink_dump_done).
        const int error = dump_outcome(received);
        if (error == EINTR || error == EAGAIN)
          whole = false;
        else if (error != 0)
          throw request.refusal(error, "");
        done = true;
      } else {
        each(received);
      }
    });
  }
  return whole;
}

Refusal parse_refusal(const nlmsghdr& message) {
  const nlmsgerr& error = parts_of<nlmsgerr>(message).header;
  Refusal refusal{errno_of(error.error), {}};
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return refusal;
  // Without NLM_F_CAPPED the refused request comes back whole, in front of the attributes.
  std::size_t header = sizeof(nlmsgerr);
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0 && error.msg.nlmsg_len > sizeof(nlmsghdr))
    header += MNL_ALIGN(error.msg.nlmsg_len) - sizeof(nlmsghdr);
  refusal.extended_ack = Attributes::after(message, header).get(extended_ack_message).value_or("");
  return refusal;
}

}  // namespace onlink::netlink
