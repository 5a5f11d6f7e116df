// SPDX-License-Identifier: Apache-2.0
#include "node/routes/senders.h"

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

// What a rule asks of the sender: whether a packet from there that arrives on this link meets it.
class Question {
 public:
  Question(netlink::Socket& socket, const netlink::Rule& rule) : rule_(rule) {
    if (rule.in.empty()) return;
    const auto link = netlink::find_link(socket, rule.in);
    link_ = link ? link->index : no_link;
  }

  const netlink::Rule& rule() const { return rule_; }
  bool is_met_by(const IpPrefix& source, std::uint32_t link) const {
    const bool meets = (!rule_.src || rule_.src->contains(source)) && (link_ == 0 || link_ == link);
    return meets != rule_.is_negated;
  }

 private:
  static constexpr std::uint32_t no_link = UINT32_MAX;
  const netlink::Rule& rule_;
  std::uint32_t link_ = 0;  // 0: any
};

std::vector<netlink::Route> senders_among(const std::vector<netlink::Route>& pods,
                                          const std::vector<Question>& questions) {
  std::vector<netlink::Route> senders;
  std::set<std::tuple<IpFamily, std::uint32_t>> asked;
  for (const Question& question : questions)
    for (const netlink::Route& pod : pods)
      if (question.is_met_by(pod.dst, pod.link) &&
          asked.emplace(pod.dst.family(), question.rule().table).second)
        senders.push_back(pod);
  return senders;
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
                                    const std::vector<Probe>& peers, const std::vector<netlink::Route>& pods,
                                    const std::vector<netlink::Route>& wanted) {
  std::vector<Question> questions;
  for (const netlink::Rule& rule : rules)
    if (rule.asks_who_sends()) questions.emplace_back(socket, rule);
  std::vector<Sent> packets;
  if (questions.empty()) return packets;
  for (const netlink::Route& pod : senders_among(pods, questions))
    for (const Probe& peer : peers)
      if (peer.address.family() == pod.dst.family())
        packets.push_back({{peer.address, pod.dst.address, pod.link}, peer.subnet, pod});
  for (const Probe& peer : peers) {
    const netlink::Route* pod = first_of(pods, peer.address.family());
    const netlink::Route* way = route_to_subnet(wanted, peer.subnet);
    if (pod == nullptr || way == nullptr) continue;
    if (std::any_of(questions.begin(), questions.end(), [&](const Question& question) {
          return question.is_met_by(IpPrefix::host(peer.address), way->link);
        }))
      packets.push_back({{pod->dst.address, peer.address, way->link}, peer.subnet, *pod, true});
  }
  return packets;
}

}  // namespace onlink::node
