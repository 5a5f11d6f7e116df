// SPDX-License-Identifier: Apache-2.0
#include "node/probe/arp.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "base/failure.h"
#include "base/unique_fd.h"

namespace onlink::node {
namespace {

constexpr std::int64_t wait_ns = 200'000'000;

void ask(const UniqueFd& fd, const ArpQuestion& question) {
  ether_arp request{};
  request.ea_hdr = {htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST)};
  std::memcpy(request.arp_sha, question.mac.bytes.data(), sizeof request.arp_sha);
  if (question.from) std::memcpy(request.arp_spa, question.from->bytes().data(), sizeof request.arp_spa);
  std::memcpy(request.arp_tpa, question.address.bytes().data(), sizeof request.arp_tpa);
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ARP);
  where.sll_ifindex = static_cast<int>(question.link);
  where.sll_halen = ETH_ALEN;
  std::memset(where.sll_addr, 0xff, ETH_ALEN);
  (void)::sendto(fd.get(), &request, sizeof request, 0, reinterpret_cast<sockaddr*>(&where), sizeof where);
}

void take_answer(const UniqueFd& fd, std::span<const ArpQuestion> questions,
                 std::vector<std::set<MacAddress>>& answers) {
  ether_arp answer{};
  sockaddr_ll from{};
  socklen_t length = sizeof from;
  const ssize_t size =
      ::recvfrom(fd.get(), &answer, sizeof answer, 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (size < static_cast<ssize_t>(sizeof answer) || answer.ea_hdr.ar_op != htons(ARPOP_REPLY)) return;
  MacAddress mac;
  std::memcpy(mac.bytes.data(), answer.arp_sha, mac.bytes.size());
  const IpAddress whose = IpAddress::from_bytes({answer.arp_spa, sizeof answer.arp_spa});
  for (std::size_t i = 0; i < questions.size(); ++i)
    if (questions[i].address == whose && static_cast<int>(questions[i].link) == from.sll_ifindex)
      answers[i].insert(mac);
}

}  // namespace

std::vector<std::set<MacAddress>> ask_who_has(std::span<const ArpQuestion> questions) {
  std::vector<std::set<MacAddress>> answers(questions.size());
  if (questions.empty()) return answers;
  const UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP)));
  if (!fd) throw system_failure("ask by ARP (needs CAP_NET_RAW)");
  for (const ArpQuestion& question : questions) ask(fd, question);
  const std::int64_t end = monotonic_ns() + wait_ns;
  for (std::int64_t now = monotonic_ns(); now < end; now = monotonic_ns()) {
    pollfd readable{fd.get(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>((end - now) / 1'000'000) + 1) > 0)
      take_answer(fd, questions, answers);
  }
  return answers;
}

std::string to_string(const std::set<MacAddress>& macs) {
  std::string words;
  for (const MacAddress& mac : macs) words += (words.empty() ? "" : " and ") + mac.to_string();
  return words;
}

}  // namespace onlink::node
