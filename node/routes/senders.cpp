// SPDX-License-Identifier: Apache-2.0
#include "node/routes/senders.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "netlink/link.h"
#include "netlink/route_key.h"
#include "node/routes/host.h"

namespace onlink::node {
namespace {

// What a rule asks besides the destination: whether a packet from there that arrives on this link meets it, if it is of
// this transport.
class Question {
 public:
  Question(netlink::Socket& socket, const netlink::Rule& rule) : rule_(rule) {
    if (rule.in.empty()) return;
    const auto link = netlink::find_link(socket, rule.in);
    link_ = link ? link->index : no_link;
  }

  const netlink::Rule& rule() const { return rule_; }
  const netlink::Transport& transport() const { return rule_.transport; }
  bool is_met_by(const IpPrefix& source, std::uint32_t link) const {
    const bool meets = (!rule_.src || rule_.src->contains(source)) && (link_ == 0 || link_ == link);
    return meets != rule_.is_negated;
  }

 private:
  static constexpr std::uint32_t no_link = UINT32_MAX;
  const netlink::Rule& rule_;
  std::uint32_t link_ = 0;  // 0: any
};

// Of protocols the kernel looks up these only (rtm_getroute_parse_ip_proto), and ICMP.
bool can_be_asked(const netlink::Rule& rule) {
  const std::uint8_t protocol = rule.transport.protocol;
  return rule.asks_for_more() && (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

// Those packets count that a rule is for; or else those that it is not for, which may go another way than what the kernel says
// for its own packets.
struct Questions {
  const std::vector<Question>& all;
  bool is_met;
};

// Senders of packets to peers, without a destination.
std::vector<Sent> pods_that_send(const std::vector<netlink::Route>& pods, const Questions& questions) {
  std::vector<Sent> packets;
  std::set<std::tuple<IpFamily, std::uint32_t, netlink::Transport>> asked;
  for (const Question& question : questions.all)
    for (const netlink::Route& pod : pods)
      if (question.is_met_by(pod.dst, pod.link) == questions.is_met &&
          asked.emplace(pod.dst.family(), questions.is_met ? question.rule().table : 0, question.transport())
              .second)
        packets.push_back({{{}, pod.dst.address, pod.link, question.transport()}, {}, pod});
  return packets;
}

std::vector<Sent> own_that_send(const std::vector<IpAddress>& own, const std::vector<Question>& questions) {
  std::vector<Sent> packets;
  std::set<netlink::Transport> asked;
  for (const Question& question : questions)
    if (asked.insert(question.transport()).second)
      for (const IpAddress& address : own) packets.push_back({{{}, address, 0, question.transport()}, {}});
  return packets;
}

void add_to_all(const std::vector<Probe>& peers, std::vector<Sent> senders, std::vector<Sent>& packets) {
  for (Sent& packet : senders)
    for (const Probe& peer : peers)
      if (peer.address.family() == packet.flow.from.family()) {
        packet.flow.dst = peer.address;
        packet.subnet = peer.subnet;
        packets.push_back(packet);
      }
}

const netlink::Route* first_of(const std::vector<netlink::Route>& pods, IpFamily family) {
  const auto found = std::find_if(pods.begin(), pods.end(),
                                  [&](const netlink::Route& pod) { return pod.dst.family() == family; });
  return found == pods.end() ? nullptr : &*found;
}

// What peers' pods send to one of this node's.
void add_from_all(const std::vector<Probe>& peers, const std::vector<netlink::Route>& pods,
                  const std::vector<netlink::Route>& wanted, const Questions& questions,
                  std::vector<Sent>& packets) {
  for (const Probe& peer : peers) {
    const netlink::Route* pod = first_of(pods, peer.address.family());
    const netlink::Route* way = route_to_subnet(wanted, peer.subnet);
    if (pod == nullptr || way == nullptr) continue;
    std::set<netlink::Transport> asked;
    for (const Question& question : questions.all)
      if (question.is_met_by(IpPrefix::host(peer.address), way->link) == questions.is_met &&
          asked.insert(question.transport()).second)
        packets.push_back(
            {{pod->dst.address, peer.address, way->link, question.transport()}, peer.subnet, *pod, true});
  }
}

}  // namespace

const netlink::Route* route_to_subnet(const std::vector<netlink::Route>& wanted, const IpPrefix& subnet) {
  const netlink::Route key = normalised(netlink::Route{.dst = subnet});
  const auto found = std::lower_bound(wanted.begin(), wanted.end(), key, netlink::key_before);
  return found != wanted.end() && same_key(*found, key) ? &*found : nullptr;
}

std::vector<Sent> packets_by_sender(netlink::Socket& socket, const std::vector<netlink::Rule>& rules,
                                    const std::vector<Probe>& peers, const Senders& senders,
                                    const std::vector<netlink::Route>& wanted) {
  std::vector<Question> questions;
  for (const netlink::Rule& rule : rules)
    if (can_be_asked(rule)) questions.emplace_back(socket, rule);
  std::vector<Sent> packets;
  if (questions.empty()) return packets;
  // A packet that a rule is for names the cause best: one the other way may fail because of it, too (rp_filter).
  for (const bool is_met : {true, false}) {
    add_to_all(peers, pods_that_send(senders.pods, {questions, is_met}), packets);
    add_from_all(peers, senders.pods, wanted, {questions, is_met}, packets);
  }
  add_to_all(peers, own_that_send(senders.own, questions), packets);
  return packets;
}

}  // namespace onlink::node
