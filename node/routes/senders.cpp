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

// Where the kernel says that its own packets arrive (LOOPBACK_IFINDEX).
constexpr std::uint32_t loopback = 1;

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

// What is sent, as far as that is known without the peer: by each pod that a question is about, and by this node.
std::vector<Sent> packets_to_peers(const Senders& senders, const std::vector<Question>& questions) {
  std::vector<Sent> packets;
  std::set<std::tuple<IpFamily, std::uint32_t, netlink::Transport>> asked;
  std::set<std::tuple<IpAddress, netlink::Transport>> asked_for_own;
  for (const Question& question : questions) {
    for (const netlink::Route& pod : senders.pods)
      if (question.is_met_by(pod.dst, pod.link) &&
          asked.emplace(pod.dst.family(), question.rule().table, question.transport()).second)
        packets.push_back({{{}, pod.dst.address, pod.link, question.transport()}, {}, pod});
    for (const IpAddress& own : senders.own)
      if (question.is_met_by(IpPrefix::host(own), loopback) &&
          asked_for_own.emplace(own, question.transport()).second)
        packets.push_back({{{}, own, 0, question.transport()}, {}});
  }
  return packets;
}

const netlink::Route* first_of(const std::vector<netlink::Route>& pods, IpFamily family) {
  const auto found = std::find_if(pods.begin(), pods.end(),
                                  [&](const netlink::Route& pod) { return pod.dst.family() == family; });
  return found == pods.end() ? nullptr : &*found;
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
  for (Sent packet : packets_to_peers(senders, questions))
    for (const Probe& peer : peers)
      if (peer.address.family() == packet.flow.from.family()) {
        packet.flow.dst = peer.address;
        packet.subnet = peer.subnet;
        packets.push_back(packet);
      }
  for (const Probe& peer : peers) {
    const netlink::Route* pod = first_of(senders.pods, peer.address.family());
    const netlink::Route* way = route_to_subnet(wanted, peer.subnet);
    if (pod == nullptr || way == nullptr) continue;
    std::set<netlink::Transport> asked;
    for (const Question& question : questions)
      if (question.is_met_by(IpPrefix::host(peer.address), way->link) &&
          asked.insert(question.transport()).second)
        packets.push_back(
            {{pod->dst.address, peer.address, way->link, question.transport()}, peer.subnet, *pod, true});
  }
  return packets;
}

}  // namespace onlink::node
