// SPDX-License-Identifier: Apache-2.0
// Netlink requests to the kernel and their answers (netlink(7), rtnetlink(7)).
//
// A socket belongs to the network namespace in which it was opened, wherever its user is later; so the container's
// socket is opened inside once (open_in) and then used from outside.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "netlink/message.h"
#include "netlink/netns.h"

namespace onlink::netlink {

class Socket {
 public:
  // In the caller's network namespace. Every wait for an answer ends after 10 seconds with a Failure (try_again).
  // protocol: NETLINK_ROUTE, or another of netlink(7).
  static Socket open(int protocol = NETLINK_ROUTE);
  static Socket open_in(const Netns& netns, const Netns& home);  // home: where the caller is
  // For tests: the other end of fd plays the kernel, and does what the kernel cannot be made to do at will.
  static Socket adopt(UniqueFd fd) { return Socket(std::move(fd)); }

  using Answer = std::function<void(const nlmsghdr&)>;

  // Sends the messages, in batches, and waits until the kernel has worked through them, in order. The kernel goes on
  // after a message that it refuses: callers put together only messages that do no harm when an earlier one failed.
  // Throws the first refusal; answers to queries go to `answer`.
  void execute(std::span<Message> messages, const Answer& answer = {});
  void execute(Message message, const Answer& answer = {}) { execute({&message, 1}, answer); }

  // Messages per send: each may queue an error of about 1 KiB on our receive buffer (208 KiB by default). More are
  // sent in batches, one after the other.
  static constexpr std::size_t batch = 64;
  // The same, with the outcome of each message; `answer` gets the index of the message that is answered.
  using BatchAnswer = std::function<void(std::size_t place, const nlmsghdr&)>;
  std::vector<std::optional<Failure>> execute_each(std::span<Message> messages,
                                                   const BatchAnswer& answer = {});

  // Asks for one object: what `parse` makes of the answer, an optional. Nothing where is_none holds for the refusal. "Not
  // there" is a common answer (ADD asks whether its names are free), so it is no exception: that would cost an ADD more
  // than the question.
  template <class Parse>
  auto find(Message question, const Parse& parse, const std::function<bool(const Failure&)>& is_none) {
    decltype(parse(std::declval<const nlmsghdr&>())) found;
    auto refusal = ask(question, [&](const nlmsghdr& answer) { found = parse(answer); });
    if (refusal && !is_none(*refusal)) throw std::move(*refusal);
    return found;
  }

  // Sends all messages in one piece, however many: for nfnetlink, which does all of them or none. Returns the first
  // refusal, if any.
  std::optional<Failure> execute_whole(std::span<Message> messages);

  // The namespace in which it was opened.
  Netns netns() const { return Netns::of_socket(fd_.get()); }

  // The port id with which the kernel marks what this socket's requests changed (nlmsg_pid of notifications).
  std::uint32_t port() const;

  // A number that no other network namespace has or had since boot; nothing before Linux 5.14.
  std::optional<std::uint64_t> netns_cookie() const;

  // A dump, parsed. An interrupted dump (NLM_F_DUMP_INTR) is discarded and repeated, up to 20 times; then Failure
  // (try_again).
  template <class T>
  std::vector<T> dump(const Message& request, const std::function<std::optional<T>(const nlmsghdr&)>& parse) {
    std::vector<T> items;
    run_dump(
        request, [&] { items.clear(); },
        [&](const nlmsghdr& message) {
          if (auto item = parse(message)) items.push_back(std::move(*item));
        });
    return items;
  }
  // Whether is_it holds for a message of a dump; ends at the first. The rest of the dump comes before the answer to
  // any later request, so use a socket of its own.
  bool dump_until(const Message& request, const std::function<bool(const nlmsghdr&)>& is_it);

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}

  std::optional<Failure> ask(Message& question, const Answer& answer);
  void send(std::span<const char> bytes, const Message& about);
  // Receives one datagram from the kernel and hands over its messages.
  void receive(const Message& about, const Answer& each);
  void run_dump(const Message& request, const std::function<void()>& restart, const Answer& each,
                const bool& enough = false);
  // False: interrupted. Ends early once `enough` is true.
  bool dump_once(Message request, const Answer& each, const bool& enough = false);
  void execute_chunk(std::span<Message> messages, const BatchAnswer& answer,
                     std::span<std::optional<Failure>> outcomes);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::unique_ptr<char[]> buffer_;  // for one datagram; made at the first answer
  std::size_t buffer_size_ = 0;
  // A dump's datagrams are as large as the buffer, up to 32 KiB (net/netlink/af_netlink.c, netlink_dump). Two
  // such buffers fit into what malloc takes from the kernel at first.
  std::size_t least_buffer_ = std::size_t{16} * 1024;
};

// What an NLMSG_ERROR message says: the errno (0 = success) and the extended-ack sentence ("" where there is
// none).
struct Refusal {
  int error = 0;
  std::string extended_ack;
};
Refusal parse_refusal(const nlmsghdr& message);

}  // namespace onlink::netlink
