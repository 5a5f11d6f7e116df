// SPDX-License-Identifier: Apache-2.0
#include "node/probe/peers.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <utility>

#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "node/probe/doubles.h"
#include "node/probe/tcp.h"
#include "node/probe/wire.h"
#include "node/probe/words.h"

namespace onlink::node {
namespace {

constexpr std::uint32_t smallest_size = 576;  // every IPv4 link carries it
constexpr std::size_t steps = 12;             // sizes asked in parallel on the way to the largest
constexpr std::uint32_t loss_told = 3;        // of loss_tries
constexpr std::size_t asked_for_loss = 50;    // peers in parallel
constexpr std::size_t looked_at = 32;         // silent peers that are looked at on the wire

const char* state_name(std::uint16_t state) {
  switch (state) {
    case NUD_INCOMPLETE:
      return "INCOMPLETE";
    case NUD_REACHABLE:
      return "REACHABLE";
    case NUD_STALE:
      return "STALE";
    case NUD_DELAY:
      return "DELAY";
    case NUD_PROBE:
      return "PROBE";
    case NUD_FAILED:
      return "FAILED";
    case NUD_PERMANENT:
      return "PERMANENT";
    default:
      return "NONE";
  }
}

class Checker {
 public:
  Checker(netlink::Socket& socket, const PeerQuestion& question) : socket_(socket), question_(question) {
    for (const Node& peer : question.cluster.peers) peers_.emplace_back(&peer);
    for (const auto* addresses : {&question.host.vxlan_addresses, &question.host.tunnel_addresses})
      for (const netlink::Address& address : *addresses)
        if (address.prefix.address.is_v4()) own_end_ = address.prefix.address;
  }

  std::vector<PeerCheck> check() {
    for (std::size_t i = 0; i < question_.desired.paths.size(); ++i) begin(question_.desired.paths[i]);
    ask_all();
    ask_sizes();
    ask_for_loss();
    look_up();
    for (std::size_t i = 0; i < checks_.size(); ++i) judge(i);
    look_at_wire();
    look_for_doubles();
    excuse_by_tcp();
    mention_xdp();
    ask_pod();
    return std::move(checks_);
  }

 private:
  const Node* peer_of(const std::string& name) const {
    for (const Node* peer : peers_)
      if (peer->name == name) return peer;
    return nullptr;
  }

  void begin(const PeerPath& path) {
    PeerCheck check;
    check.peer = path.peer;
    check.cidr = path.cidr;
    check.kind = path.kind;
    const Node* peer = peer_of(path.peer);
    const bool v4 = path.cidr.address.is_v4();
    const auto& of_family = v4 ? peer->ipv4 : peer->ipv6;
    const auto outer = path.kind == PathKind::vxlan ? outer_address(question_.cluster, *peer) : of_family;
    check.node_address = outer ? *outer : peer->ipv4.value_or(peer->ipv6.value_or(IpAddress()));
    const auto end = v4 ? tunnel_address(*peer) : tunnel_address_v6(*peer);
    const bool has_end = may_tunnel(question_.cluster, *peer, Encapsulation::vxlan) ||
                         (v4 && may_tunnel(question_.cluster, *peer, Encapsulation::ipip));
    if (end && has_end && path.cidr.contains(*end)) check.far_address = end;
    const auto source = question_.host.sources.find(check.node_address);
    if (source != question_.host.sources.end()) check.source = source->second;
    checks_.push_back(std::move(check));
  }

  // From our end of the tunnel even if the way is direct: so the answer takes the peer's way to our pods.
  Echo far_echo(const PeerCheck& check) const {
    const bool with_end = check.kind == PathKind::direct && check.far_address->is_v4();
    return {.to = *check.far_address, .from = with_end ? own_end_ : std::nullopt};
  }

  // To the address among its pods if that answers, else to the node.
  Echo answered_echo(const PeerCheck& check) const {
    return check.far.answered() ? far_echo(check) : Echo{.to = check.node_address};
  }

  void ask_all() {
    std::vector<Echo> echoes;
    std::vector<EchoResult*> places;
    for (PeerCheck& check : checks_) {
      echoes.push_back({.to = check.node_address});
      places.push_back(&check.node);
      if (!check.far_address) continue;
      echoes.push_back(far_echo(check));
      places.push_back(&check.far);
    }
    const auto results = pinger_.ask(echoes);
    for (std::size_t i = 0; i < results.size(); ++i) *places[i] = results[i];
  }

  // The whole size first; if it does not arrive, ever closer.
  void ask_sizes() {
    std::vector<std::pair<PeerCheck*, Echo>> questions;
    for (PeerCheck& check : checks_) {
      if (check.kind == PathKind::none || question_.desired.pod_mtu == 0 || !check.answers()) continue;
      Echo echo = answered_echo(check);
      const bool outside = !check.far.answered() && check.kind != PathKind::direct;
      if (outside) continue;  // whatever passes there, the tunnel does not
      check.asked_size = echo.length = question_.desired.pod_mtu;
      questions.emplace_back(&check, echo);
    }
    std::vector<Echo> echoes;
    echoes.reserve(questions.size());
    for (const auto& [check, echo] : questions) echoes.push_back(echo);
    const auto results = pinger_.ask(echoes, true, {.tries = 2, .wait_ms = 600});
    std::vector<Search> searches;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      PeerCheck& check = *questions[i].first;
      if (results[i].answered())
        check.largest_size = check.asked_size;
      else
        searches.push_back({&check, questions[i].second, smallest_size, check.asked_size, results[i]});
    }
    search(searches);
  }

  // A few peers at a time: too many simultaneous answers would be lost here.
  void ask_for_loss() {
    std::vector<PeerCheck*> asked;
    for (PeerCheck& check : checks_)
      if (check.answers() && check.kind != PathKind::none) asked.push_back(&check);
    for (std::size_t first = 0; first < asked.size(); first += asked_for_loss) {
      std::vector<Echo> echoes;
      const std::size_t end = std::min(first + asked_for_loss, asked.size());
      for (std::size_t i = first; i < end; ++i)
        echoes.insert(echoes.end(), loss_tries, answered_echo(*asked[i]));
      const auto results = pinger_.ask(echoes, false, {.tries = 1, .wait_ms = 1000});
      for (std::size_t i = 0; i < results.size(); ++i)
        if (!results[i].answered()) ++asked[first + i / loss_tries]->lost;
    }
  }

  struct Search {
    PeerCheck* check;
    Echo echo;
    std::uint32_t low;   // passes, or nothing smaller is worth asking
    std::uint32_t high;  // does not pass
    EchoResult refusal;
  };
  void search(std::vector<Search>& searches) {
    for (const Search& search : searches) refusals_.emplace_back(search.check, search.refusal);
    for (int round = 0; round < 3 && !searches.empty(); ++round) {
      std::vector<Echo> echoes;
      for (Search& search : searches)
        for (std::size_t i = 0; i < steps; ++i) {
          Echo echo = search.echo;
          echo.length = search.low + static_cast<std::uint32_t>((search.high - search.low) * i / steps);
          echoes.push_back(echo);
        }
      const auto results = pinger_.ask(echoes, true, {.tries = 2, .wait_ms = 400});
      for (std::size_t at = 0; at < results.size(); ++at) {
        Search& search = searches[at / steps];
        const std::uint32_t length = echoes[at].length;
        if (results[at].answered()) {
          search.check->largest_size = std::max(search.check->largest_size, length);
          search.low = std::max(search.low, length);
          search.high = std::max(search.high, search.low + 1);  // a smaller one was lost by chance
        } else if (length > search.low) {
          search.high = std::min(search.high, length);
        }
      }
      std::erase_if(searches, [](const Search& search) {
        return search.check->largest_size == 0 || search.high - search.low <= 1;
      });
    }
  }

  // After the questions: route and neighbour as the kernel knows them now.
  void look_up() {
    std::vector<IpAddress> addresses;
    for (const PeerCheck& check : checks_)
      addresses.push_back(check.far_address      ? *check.far_address
                          : check.cidr.is_host() ? check.cidr.address
                                                 : check.cidr.address.next());
    const auto routes = netlink::lookup_routes(socket_, addresses);
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      PeerCheck& check = checks_[i];
      if (routes[i]) check.route = netlink::to_string(*routes[i], question_.host.link_name(routes[i]->link));
      if (const auto next = next_hop(check))
        check.neighbour = fmt::format("{} {} {}", question_.host.link_name(next->link),
                                      next->address.to_string(), state_name(next->state));
    }
  }

  // The neighbour on the way to the node, if the kernel knows one.
  std::optional<netlink::Neighbour> next_hop(const PeerCheck& check) {
    const netlink::Route* way = question_.host.path_to(check.node_address);
    if (way == nullptr || way->link == 0) return std::nullopt;
    return netlink::find_neighbour(socket_, way->link, way->gateway.value_or(check.node_address));
  }

  static void blame(PeerCheck& check, const char* kind, Subject subject, const std::string& words) {
    check.problem = Problem{
        kind, subject, fmt::format("{} ({}): {}", check.peer, check.cidr.to_string(), words), check.peer};
  }

  void judge(std::size_t place) {
    PeerCheck& check = checks_[place];
    const PeerPath& path = question_.desired.paths[place];
    const std::string& state = question_.states[place];
    if (path.kind == PathKind::none) return blame(check, path.problem.c_str(), Subject::node, path.why);
    if (state != "ok" && state != "blocked")
      return blame(check, "route-wrong", Subject::node,
                   fmt::format("its route is {}; the kernel takes: {}", state,
                               check.route.empty() ? "none" : check.route));
    // A neighbour that did not answer some time ago, but does now, is fine; pings do not ask one that only tunnels use.
    const bool is_asked = !question_.host.outer_paths.contains(check.node_address) || check.far.answered();
    const bool settled = path.problem == "peer-unreachable" && is_asked && check.answers();
    if (!path.obstacle.empty() && !settled)
      return blame(check, path.problem.c_str(), path.is_elsewhere ? Subject::peer : Subject::node,
                   path.obstacle);
    if (!check.answers()) return judge_silence(check);
    if (check.far_address && !check.far.answered()) return judge_half(check);
    if (check.asked_size != 0 && check.largest_size < check.asked_size) return judge_size(check);
    if (check.lost >= loss_told)
      blame(check, "packets-lost", Subject::peer,
            fmt::format("{} of {} small packets were not answered: they are lost on the way, or pings are "
                        "limited there",
                        check.lost, loss_tries));
  }

  // The neighbour on the way may be a router.
  std::string what_is_dropped(const PeerCheck& check) const {
    if (!check.neighbour.ends_with("REACHABLE")) return "everything";
    const netlink::Route* way = question_.host.path_to(check.node_address);
    if (way == nullptr || !way->gateway) return "pings or everything (it answered ARP a moment ago)";
    return fmt::format("pings or everything, or has no way there (the router {} answered ARP a moment ago)",
                       way->gateway->to_string());
  }

  void judge_silence(PeerCheck& check) {
    if (check.neighbour.ends_with("FAILED") || check.neighbour.ends_with("INCOMPLETE"))
      return blame(
          check, "peer-unreachable", Subject::peer,
          fmt::format("no answer from the neighbour {}: it is off, or its cable, VLAN or address is wrong",
                      check.neighbour));
    const std::string words = words_of(check.node, "");
    if (check.node.what == EchoResult::What::unsent) return blame(check, "not-sent", Subject::node, words);
    blame(check, "node-silent", Subject::peer,
          words.empty()
              ? fmt::format("{} does not answer, neither directly nor as {}: it is off, or a firewall "
                            "drops {} on the way{}",
                            check.node_address.to_string(),
                            check.far_address ? check.far_address->to_string() : "a pod's node",
                            what_is_dropped(check),
                            check.neighbour.ends_with("PERMANENT")
                                ? ", or the neighbour " + check.neighbour + ", set by hand, has a wrong MAC"
                                : "")
              : words);
  }

  void look_for_doubles() {
    std::vector<IpAddress> nodes;
    std::vector<PeerCheck*> asked;
    for (PeerCheck& check : checks_) {
      if (!check.problem || asked.size() == looked_at) continue;
      nodes.push_back(check.node_address);
      asked.push_back(&check);
    }
    const auto doubles = find_doubles(question_.host, nodes);
    for (std::size_t i = 0; i < doubles.size(); ++i)
      if (!doubles[i].empty()) blame(*asked[i], "duplicate-address", Subject::peer, doubles[i]);
  }

  // Many machines let no pings in, and are fine.
  void excuse_by_tcp() {
    std::vector<IpAddress> addresses;
    std::vector<PeerCheck*> asked;
    for (PeerCheck& check : checks_) {
      if (!check.problem || check.problem->kind != "node-silent" ||
          check.node.what != EchoResult::What::silent)
        continue;
      addresses.push_back(check.node_address);
      asked.push_back(&check);
    }
    const auto answered = answer_tcp(addresses);
    for (std::size_t i = 0; i < answered.size(); ++i) {
      if (!answered[i]) continue;
      asked[i]->problem.reset();
      asked[i]->note =
          fmt::format("{} ({}): {} answers TCP but not pings: it is up; more cannot be found out from here",
                      asked[i]->peer, asked[i]->cidr.to_string(), asked[i]->node_address.to_string());
    }
  }

  // Nobody sees what an XDP program drops: it looks as if nothing came.
  void mention_xdp() {
    for (PeerCheck& check : checks_) {
      if (!check.problem ||
          (check.problem->kind != "peer-unreachable" && !check.problem->kind.ends_with("-silent")))
        continue;
      const netlink::Route* way = question_.host.path_to(check.node_address);
      if (way == nullptr || way->link == 0 || !netlink::has_xdp(socket_, way->link).value_or(false)) continue;
      check.problem->text += fmt::format(
          ". Or the XDP program on {0} drops what comes, before anything else here sees it (bpftool net; "
          "ip link set {0} xdp off)",
          question_.host.link_name(way->link));
    }
  }

  // The node itself answers, but its address among its pods does not.
  void judge_half(PeerCheck& check) {
    const std::string words = words_of(check.far, "");
    if (check.kind == PathKind::vxlan) {
      if (check.far.what == EchoResult::What::unsent) return blame(check, "not-sent", Subject::node, words);
      if (!words.empty()) return blame(check, "tunnel-refused", Subject::peer, words);
      if (other_family_passes(check))
        return blame(check, "family-silent", Subject::peer,
                     fmt::format("{} does not answer, though VXLAN from and to {} passes: {} is off there, "
                                 "or a firewall drops it",
                                 check.far_address->to_string(), check.node_address.to_string(),
                                 check.far_address->is_v4() ? "IPv4" : "IPv6"));
      return blame(
          check, "tunnel-silent", Subject::peer,
          fmt::format("UDP {0} does not pass: {1} answers, {2} through VXLAN does not. A firewall or the "
                      "cloud's network drops it, or onlink-node there has another vxlanVNI than {3}, or "
                      "knows this node by another address: run \"onlink-node check {4}\" there",
                      question_.cluster.vxlan_port, check.node_address.to_string(),
                      check.far_address->to_string(), question_.cluster.vxlan_vni,
                      question_.cluster.self.name));
    }
    if (check.kind == PathKind::tunnel) {
      if (check.far.what == EchoResult::What::unsent) return blame(check, "not-sent", Subject::node, words);
      // net/ipv4/tunnel4.c answers this if no tunnel takes the packet.
      if (check.far.what == EchoResult::What::refused && check.far.from == check.node_address &&
          (check.far.code == ICMP_PROT_UNREACH || check.far.code == ICMP_PORT_UNREACH))
        return blame(
            check, "no-ipip-there", Subject::peer,
            fmt::format("{} refuses protocol 4: its tunnel is down or missing (onlink-node does not run "
                        "there), or a firewall there rejects it",
                        check.far.from.to_string()));
      if (!words.empty()) return blame(check, "tunnel-refused", Subject::peer, words);
      return blame(
          check, "tunnel-silent", Subject::peer,
          fmt::format("protocol 4 does not pass: {} answers, {} through the tunnel does not. A firewall or "
                      "the cloud's network drops IPIP, or onlink-node does not run there, or knows this node "
                      "by another address than {}: run \"onlink-node check {}\" there",
                      check.node_address.to_string(), check.far_address->to_string(),
                      question_.cluster.self.ipv4->to_string(), question_.cluster.self.name));
    }
    // If all its peers are on-link, a node may have no tunnel, and so no such address.
    if (!own_end_) return;
    const Echo plain[] = {{.to = *check.far_address}};
    const bool from_node = pinger_.ask(plain, false, {.tries = 2, .wait_ms = 400})[0].answered();
    if (from_node)
      blame(
          check, "no-way-back", Subject::peer,
          fmt::format("{} answers this node, but not {}, which is of its pod subnet: {} has no route back to "
                      "the pods here, or something on the way drops what is from pods",
                      check.far_address->to_string(), own_end_->to_string(), check.peer));
    else if (!words.empty())
      blame(check, "far-refused", Subject::peer, words);
    else
      blame(check, "pods-silent", Subject::peer,
            fmt::format(
                "{} answers, its address among its pods, {}, does not: onlink-node does not run there, or "
                "the network drops packets of pods (a cloud's check of source and destination)",
                check.node_address.to_string(), check.far_address->to_string()));
  }

  bool other_family_passes(const PeerCheck& check) const {
    return std::any_of(checks_.begin(), checks_.end(), [&](const PeerCheck& other) {
      return other.peer == check.peer && other.kind == PathKind::vxlan && other.far.answered();
    });
  }

  void judge_size(PeerCheck& check) {
    EchoResult refusal;
    for (const auto& [whose, result] : refusals_)
      if (whose == &check) refusal = result;
    const bool here = refusal.what == EchoResult::What::unsent;
    std::string words = fmt::format("packets of {} bytes do not pass", check.asked_size);
    if (check.largest_size != 0) words += fmt::format(", of {} do", check.largest_size);
    if (here)
      words += ": this host itself does not send them: an interface has a smaller MTU than the pods";
    else if (refusal.is_too_large())
      words += fmt::format(": {} says so{}", refusal.from.to_string(),
                           refusal.mtu == 0 ? "" : fmt::format(", {} would fit", refusal.mtu));
    else
      words += ", and no ICMP error says so: connections of pods hang";
    const netlink::Route* way = question_.host.path_to(check.node_address);
    if (!here && check.largest_size <= smallest_size)
      words += ". If connections work all the same, only pings are limited, by size or number";
    else if (!here && way != nullptr)
      words += fmt::format(
          "; a smaller MTU fixes it: ip link set {} mtu {}, on both nodes; then recreate the pods",
          question_.host.link_name(way->link),
          check.largest_size + headers_around(check.kind, check.node_address));
    blame(check, "mtu", here ? Subject::node : Subject::peer, words);
  }

  // A question without an answer, and whether it leaves inside a tunnel's packet.
  struct Silent {
    PeerCheck* check;
    Echo echo;
    bool within_tunnel;
  };

  std::vector<Silent> silent_ones() {
    std::vector<Silent> silent;
    for (PeerCheck& check : checks_) {
      if (!check.problem || !check.node_address.is_v4() || silent.size() == looked_at) continue;
      const std::string& kind = check.problem->kind;
      if (kind == "node-silent")
        silent.push_back({&check, {.to = check.node_address}, false});
      else if (check.far_address && check.far_address->is_v4() &&
               (kind == "tunnel-silent" || kind == "pods-silent" || kind == "no-way-back"))
        silent.push_back({&check, far_echo(check), check.kind != PathKind::direct});
    }
    return silent;
  }

  // Whether our packet leaves, and whether an answer comes.
  void look_at_wire() {
    const auto silent = silent_ones();
    if (silent.empty()) return;
    Wire wire;
    std::vector<Echo> echoes;
    for (const Silent& one : silent) {
      echoes.push_back(one.echo);
      if (one.check->kind == PathKind::vxlan) ask_beside_tunnel(*one.check, wire);
    }
    const Dropped before = Dropped::now();
    const std::uint16_t id = pinger_.id();
    // After the first few times a kernel refuses only once a second (icmp(7), icmp_ratelimit).
    const auto results = pinger_.ask(echoes, false, {.tries = 3, .wait_ms = 600});
    const auto sights = wire.take(id);
    const std::string droppers = Dropped::now().since(before);
    for (std::size_t i = 0; i < silent.size(); ++i) {
      if (!results[i].answered())
        judge_sights(silent[i], sights, droppers);
      else
        blame(*silent[i].check, "packets-lost", Subject::peer,
              fmt::format("{} answers now and then: packets are lost on the way, or pings are limited there",
                          silent[i].echo.to.to_string()));
    }
  }

  // From our end of the tunnel, but not through it: the answer comes through the tunnel that the peer has.
  void ask_beside_tunnel(const PeerCheck& check, Wire& wire) {
    const auto next = own_end_ ? next_hop(check) : std::nullopt;
    if (next) wire.send(echo_packet(*own_end_, check.node_address, pinger_.id()), next->link, next->mac);
  }

  void judge_sights(const Silent& one, const std::vector<Sight>& sights, const std::string& droppers) {
    PeerCheck& check = *one.check;
    const IpAddress& to = one.echo.to;
    const auto is_outside = [&](const Sight& sight) {
      return sight.outer_source.has_value() == one.within_tunnel;
    };
    const auto left = std::find_if(sights.begin(), sights.end(), [&](const Sight& sight) {
      return sight.is_leaving && !sight.is_reply && !sight.refused_by && sight.destination == to &&
             is_outside(sight);
    });
    if (left != sights.end() && judge_own_nat(one, *left)) return;
    const auto back = std::find_if(sights.begin(), sights.end(), [&](const Sight& sight) {
      return !sight.is_leaving && sight.is_reply && sight.source == to && is_outside(sight);
    });
    if (left == sights.end())
      return blame(check, "dropped-here", Subject::node,
                   fmt::format("what is sent to {} does not leave this node: {}", to.to_string(),
                               droppers.empty() ? "an output or postrouting chain drops it (nft list "
                                                  "ruleset), or a queue (tc -s qdisc)"
                                                : droppers));
    if (back == sights.end()) {
      if (judge_other_vxlan(check, sights)) return;
      const auto refusal = std::find_if(sights.begin(), sights.end(), [&](const Sight& sight) {
        return sight.refused_by && sight.outer_source && !sight.is_reply && sight.destination == to;
      });
      if (one.within_tunnel && refusal != sights.end()) return judge_refusal(check, *refusal);
      if (left->outer_source && check.problem)
        check.problem->text +=
            fmt::format(" (it left on {} from {}, and nothing came back)",
                        question_.host.link_name(left->link), left->outer_source->to_string());
      return;
    }
    std::string why = droppers;
    const bool other_sender = one.within_tunnel && *back->outer_source != check.node_address;
    const bool theirs = other_sender || back->is_for_another;
    if (other_sender)
      why = fmt::format("it comes from {}, and only {} may send through the tunnel for it",
                        back->outer_source->to_string(), check.node_address.to_string());
    else if (back->is_for_another)
      why = fmt::format(
          "it is for another MAC than this node's: {} has a wrong neighbour for this node "
          "(ip neigh, there)",
          check.peer);
    else if (why.empty())
      why = "an input chain drops it (nft list ruleset, iptables-legacy -S), or a filter of tc";
    blame(check, "dropped-here", theirs ? Subject::peer : Subject::node,
          fmt::format("its answer arrives on {} and is dropped by this node: {}",
                      question_.host.link_name(back->link), why));
  }

  // This node's own packets must leave with an address of its own.
  bool judge_own_nat(const Silent& one, const Sight& left) {
    const auto expected = one.echo.from ? one.echo.from : one.within_tunnel ? own_end_ : one.check->source;
    if (!expected || left.source == *expected || is_own(left.source)) return false;
    blame(*one.check, "address-translated", Subject::node,
          fmt::format(
              "what this node sends to {} leaves from {}, which is not its address: a nat chain (nft list "
              "ruleset, iptables -t nat -S)",
              one.echo.to.to_string(), left.source.to_string()));
    return true;
  }

  bool is_own(const IpAddress& address) const {
    const auto& own = question_.host.underlay_addresses;
    return std::any_of(own.begin(), own.end(),
                       [&](const netlink::Address& each) { return each.prefix.address == address; });
  }

  bool judge_other_vxlan(PeerCheck& check, const std::vector<Sight>& sights) {
    const Cluster& ours = question_.cluster;
    for (const Sight& sight : sights) {
      if (sight.is_leaving || sight.vxlan_port == 0) continue;
      const bool as_ours = sight.vxlan_port == ours.vxlan_port && sight.vxlan_vni == ours.vxlan_vni;
      if (as_ours && sight.is_reply && sight.source == check.node_address &&
          *sight.outer_source != check.node_address) {
        blame(
            check, "other-sender", Subject::peer,
            fmt::format(
                "it sends VXLAN from {}, and only {}, its address in the list of nodes, may: the two nodes' "
                "lists differ, or its route to this node has another source",
                sight.outer_source->to_string(), check.node_address.to_string()));
        return true;
      }
      if (as_ours || sight.outer_source != check.node_address) continue;
      blame(check, "other-vxlan", Subject::peer,
            fmt::format(
                "it sends VXLAN to port {} with VNI {}, and this node has vxlanPort {} and vxlanVNI {}: "
                "they must be the same on all nodes",
                sight.vxlan_port, sight.vxlan_vni, ours.vxlan_port, ours.vxlan_vni));
      return true;
    }
    return false;
  }

  // About a tunnel's packet: the kernel does not pass it on to the sender of the inner packet.
  void judge_refusal(PeerCheck& check, const Sight& sight) {
    const IpAddress& who = *sight.refused_by;
    if (check.kind == PathKind::vxlan && who == check.node_address && sight.refusal == ICMP_PORT_UNREACH)
      return blame(check, "no-vxlan-there", Subject::peer,
                   fmt::format("{} refuses UDP {}: onlink-node does not run there, or has another vxlanPort "
                               "or vxlanMode, or a firewall there rejects it",
                               who.to_string(), question_.cluster.vxlan_port));
    blame(check, "tunnel-refused", Subject::peer,
          words_of({.what = EchoResult::What::refused,
                    .from = who,
                    .type = ICMP_DEST_UNREACH,
                    .code = sight.refusal},
                   ""));
  }

  // Asks the named pod of a peer, too.
  void ask_pod() {
    if (!question_.pod) return;
    for (PeerCheck& check : checks_) {
      if (!check.cidr.contains(*question_.pod) || check.far_address == question_.pod) continue;
      check.pod_address = question_.pod;
      const Echo echo[] = {{.to = *question_.pod, .from = question_.pod->is_v4() ? own_end_ : std::nullopt}};
      check.pod = pinger_.ask(echo)[0];
      if (check.problem || check.pod.answered()) continue;
      const std::string words =
          words_of(check.pod, "it is gone, or lets no ping in, or its node does not reach it");
      blame(check, "pod-silent-there", Subject::peer,
            fmt::format("{} is reached, its pod {} does not answer: {}: run \"onlink-node check {}\" there",
                        check.peer, question_.pod->to_string(), words, question_.pod->to_string()));
    }
  }

  netlink::Socket& socket_;
  const PeerQuestion& question_;
  Pinger pinger_;
  std::vector<const Node*> peers_;
  std::optional<IpAddress> own_end_;
  std::vector<PeerCheck> checks_;
  std::vector<std::pair<const PeerCheck*, EchoResult>> refusals_;
};

}  // namespace

std::vector<PeerCheck> check_peers(netlink::Socket& socket, const PeerQuestion& question) {
  return Checker(socket, question).check();
}

}  // namespace onlink::node
