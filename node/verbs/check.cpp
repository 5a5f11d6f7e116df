// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ipam/folder.h"
#include "netlink/route.h"
#include "node/probe/host.h"
#include "node/probe/leases.h"
#include "node/probe/peers.h"
#include "node/probe/pods.h"
#include "node/probe/words.h"
#include "node/routes/diff.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr std::size_t shortest_container = 4;

struct Chosen {
  std::string peer = {};                 // empty: all of them, or none where there is a pod
  std::optional<std::string> link = {};  // of the pod
  std::optional<IpAddress> pod = {};     // of the peer, by its address
  std::optional<Problem> lost = {};      // only a lease is left, no interface
};

// name: "namespace/name"; empty: not known.
bool is_named(const std::string& container, const std::string& name, const std::string& subject) {
  if (subject.size() >= shortest_container && container.starts_with(subject)) return true;
  return subject == container || subject == name ||
         (!name.empty() && name.substr(name.find('/') + 1) == subject);
}

bool is_pod(const PodCheck& pod, const std::string& subject, const std::optional<IpAddress>& address) {
  if (address) return std::find(pod.addresses.begin(), pod.addresses.end(), *address) != pod.addresses.end();
  return subject == pod.link.name || is_named(pod.container, pod.name, subject);
}

bool is_peer(const Node& peer, const std::string& subject, const std::optional<IpAddress>& address) {
  if (!address) return peer.name == subject;
  return peer.ipv4 == address || peer.ipv6 == address ||
         std::any_of(peer.pod_cidrs.begin(), peer.pod_cidrs.end(),
                     [&](const IpPrefix& cidr) { return cidr.contains(*address); });
}

// Finds a subject of which there is only a reservation.
std::optional<Problem> find_lost(const CheckInput& input, const std::optional<IpAddress>& address) {
  const auto lease = find_lease(input.data_dir, [&](const ipam::Reservation& its) {
    return address ? its.address == *address : is_named(its.owner.container_id, its.pod, input.subject);
  });
  if (!lease) return std::nullopt;
  const ipam::Reservation& its = lease->reservation;
  return Problem{
      "lease-without-interface", Subject::node,
      fmt::format("{} of network {} is reserved for container {}{} since {}, and no interface of this host "
                  "leads to it: its sandbox has ended without DEL, its end of the pair was moved away, or it "
                  "is another plugin's (onlink-ipam check tells what it knows); packets to it take {}",
                  its.address.to_string(), lease->network, its.owner.container_id,
                  its.pod.empty() ? "" : fmt::format(" (pod {})", its.pod), modified_in_utc(its.file),
                  words_of(input.socket, netlink::lookup_route(input.socket, its.address)))};
}

Chosen choose(const CheckInput& input, const Cluster& cluster, const std::vector<PodCheck>& pods) {
  const std::string& subject = input.subject;
  const auto address = IpAddress::parse(subject);
  std::vector<std::string> found;
  Chosen chosen;
  for (const PodCheck& pod : pods)
    if (is_pod(pod, subject, address)) {
      chosen.link = pod.link.name;
      found.push_back(fmt::format("container {} ({})", pod.container, pod.link.name));
    }
  if (found.size() > 1)
    throw UnknownSubject(fmt::format("\"{}\" is more than one pod: {}", subject, fmt::join(found, ", ")));
  if (!found.empty()) return chosen;
  for (const Node& peer : cluster.peers)
    if (is_peer(peer, subject, address)) {
      const bool of_node = peer.ipv4 == address || peer.ipv6 == address;
      return {.peer = peer.name, .pod = of_node ? std::nullopt : address};
    }
  if (auto lost = find_lost(input, address)) return {.lost = std::move(lost)};
  throw UnknownSubject(
      fmt::format("\"{}\" is no peer, no address of one, and no pod of this node (container ID, address, "
                  "interface or name)",
                  subject));
}

// The plan for the chosen peer alone, and the states of its paths.
Desired only(const Desired& desired, const Chosen& chosen, std::vector<std::string>& states) {
  Desired part = desired;
  if (chosen.peer.empty() && !chosen.lost) return part;
  part.paths.clear();
  std::vector<std::string> its;
  for (std::size_t i = 0; i < desired.paths.size(); ++i)
    if (desired.paths[i].peer == chosen.peer) {
      part.paths.push_back(desired.paths[i]);
      its.push_back(states[i]);
    }
  states = std::move(its);
  return part;
}

json print_echo(const EchoResult& result) {
  switch (result.what) {
    case EchoResult::What::answered:
      return fmt::format("answers in {:.1f} ms", static_cast<double>(result.microseconds) / 1000);
    case EchoResult::What::refused:
      return fmt::format("refused by {}", result.from.to_string());
    case EchoResult::What::unsent:
      return "not sent";
    default:
      return "silent";
  }
}

json print_peer(const PeerCheck& check) {
  json peer = {{"name", check.peer},
               {"podCIDR", check.cidr.to_string()},
               {"path", to_string(check.kind)},
               {"ok", !check.problem},
               {"route", check.route},
               {"neighbour", check.neighbour},
               {"source", check.source ? check.source->to_string() : ""},
               {"node", {{"address", check.node_address.to_string()}, {"echo", print_echo(check.node)}}},
               {"verdict", check.problem ? check.problem->text : "ok"}};
  if (check.far_address)
    peer["pods"] = {{"address", check.far_address->to_string()}, {"echo", print_echo(check.far)}};
  if (check.pod_address)
    peer["pod"] = {{"address", check.pod_address->to_string()}, {"echo", print_echo(check.pod)}};
  if (!check.note.empty()) peer["note"] = check.note;
  if (check.answers()) peer["lost"] = {{"asked", loss_tries}, {"unanswered", check.lost}};
  if (check.asked_size != 0) peer["size"] = {{"asked", check.asked_size}, {"passes", check.largest_size}};
  return peer;
}

json print_pod(const PodCheck& check) {
  json pod = {{"container", check.container},   {"network", check.network},
              {"ifname", check.ifname},         {"interface", check.link.name},
              {"mtu", check.link.mtu},          {"ok", check.problems.empty()},
              {"lease", check.lease},           {"since", check.since},
              {"netns", check.netns},           {"echo", print_echo(check.echo)},
              {"addresses", json::array()},     {"routes", check.routes},
              {"neighbours", check.neighbours}, {"problems", print(check.problems)}};
  if (!check.name.empty()) pod["pod"] = check.name;
  if (const auto& counters = check.counters)
    pod["counters"] = {{"packetsFromPod", counters->packets_in}, {"packetsToPod", counters->packets_out},
                       {"bytesFromPod", counters->bytes_in},     {"bytesToPod", counters->bytes_out},
                       {"droppedFromPod", counters->dropped_in}, {"droppedToPod", counters->dropped_out}};
  for (const IpAddress& address : check.addresses) pod["addresses"].push_back(address.to_string());
  return pod;
}

// The problems of the pass, without those that the probes judge themselves.
ProblemList general_problems(const StatusInput& status) {
  ProblemList problems = all_problems(status);
  std::erase_if(problems, [&](const Problem& problem) {
    return std::any_of(
        status.plan.desired.paths.begin(), status.plan.desired.paths.end(),
        [&](const PeerPath& path) { return path.problem == problem.kind && path.peer == problem.peer; });
  });
  return problems;
}

std::string value(const json& object, const char* key) { return object.value(key, std::string()); }

std::string print_details(const json& peer) {
  std::string text =
      fmt::format("peer {}, {}, {}\n", value(peer, "name"), value(peer, "podCIDR"), value(peer, "path"));
  const auto line = [&](const char* what, const std::string& words) {
    if (!words.empty()) text += fmt::format("  {:<22} {}\n", what, words);
  };
  const json& node = peer["node"];
  line("route", value(peer, "route"));
  line("neighbour", value(peer, "neighbour"));
  line("source of packets", value(peer, "source"));
  line("the node", fmt::format("{} {}", value(node, "address"), value(node, "echo")));
  if (peer.contains("pods"))
    line("among its pods", fmt::format("{} {}", value(peer["pods"], "address"), value(peer["pods"], "echo")));
  if (peer.contains("pod"))
    line("the pod", fmt::format("{} {}", value(peer["pod"], "address"), value(peer["pod"], "echo")));
  if (peer.contains("size"))
    line("largest packet", fmt::format("{} of {}", peer["size"]["passes"].get<unsigned>(),
                                       peer["size"]["asked"].get<unsigned>()));
  line("verdict", value(peer, "verdict"));
  return text;
}

std::string print_details_of_pod(const json& pod) {
  std::string text = fmt::format("pod {}, container {}, {} in it, {} here, network {}\n",
                                 pod.value("pod", "of unknown name"), value(pod, "container"),
                                 value(pod, "ifname"), value(pod, "interface"), value(pod, "network"));
  const auto line = [&](const char* what, const std::string& words) {
    if (!words.empty()) text += fmt::format("  {:<22} {}\n", what, words);
  };
  line("addresses", fmt::format("{}", fmt::join(pod["addresses"].get<std::vector<std::string>>(), " ")));
  line("lease", value(pod, "lease").empty()
                    ? "none found"
                    : fmt::format("{} since {}", value(pod, "lease"), value(pod, "since")));
  line("from this host", value(pod, "echo"));
  if (pod.contains("counters")) {
    const auto count = [&](const char* key) { return pod["counters"][key].get<std::uint64_t>(); };
    line("packets", fmt::format("{} from it, {} to it; dropped {} and {}", count("packetsFromPod"),
                                count("packetsToPod"), count("droppedFromPod"), count("droppedToPod")));
  }
  line("namespace", value(pod, "netns").empty() ? "not found: the inside of the pod was not checked"
                                                : value(pod, "netns"));
  for (const auto& route : pod["routes"]) line("its route", route.get<std::string>());
  for (const auto& neighbour : pod["neighbours"]) line("its neighbour", neighbour.get<std::string>());
  line("verdict", pod["ok"].get<bool>() ? "ok" : "see above");
  return text;
}

// The named pod of a peer, if it has answered this node: it must answer pods here, too.
std::vector<PeerCheck> reached_pod(const std::vector<PeerCheck>& peers) {
  std::vector<PeerCheck> asked;
  for (const PeerCheck& peer : peers) {
    if (peer.problem || !peer.pod_address || !peer.pod.answered()) continue;
    asked.push_back(peer);
    asked.back().far_address = peer.pod_address;
    asked.back().far = peer.pod;
  }
  return asked;
}

}  // namespace

json check_document(const CheckInput& input) {
  const StatusInput& status = input.status;
  const Cluster& cluster = status.nodes.cluster;
  auto pods = find_pods(input.socket, input.data_dir);
  const auto own = own_addresses(cluster, status.plan.host);
  const bool all = input.subject.empty();
  const Chosen chosen = all ? Chosen{} : choose(input, cluster, pods);
  auto states = path_states(status.plan);
  const Desired desired = only(status.plan.desired, chosen, states);
  const auto peers = check_peers(input.socket, {cluster, status.plan.host, desired, states, chosen.pod});
  std::vector<PeerCheck> asked_by_pods = peers;
  // Only a named pod sends to another pod here: a network policy may keep pods apart on purpose.
  if (chosen.link) {
    const auto its = std::stable_partition(
        pods.begin(), pods.end(), [&](const PodCheck& pod) { return pod.link.name != *chosen.link; });
    if (auto other = find_answering({pods.begin(), its})) asked_by_pods.insert(asked_by_pods.begin(), *other);
    pods.erase(pods.begin(), its);
  }
  ProblemList way_of_a_pod;
  if (const auto asked = reached_pod(peers); !asked.empty())
    way_of_a_pod =
        check_way_of_a_pod(input.socket, {status.plan.host, status.plan.desired.pod_mtu, asked, own}, pods);
  if (!chosen.peer.empty() || chosen.lost) pods.clear();
  check_pods(input.socket,
             {status.plan.host, status.plan.desired.pod_mtu, asked_by_pods, own, chosen.link.has_value()},
             pods);
  const HostCheck host = check_host(input.socket, cluster, status.plan.host);

  ProblemList found = host.problems;
  found.insert(found.end(), way_of_a_pod.begin(), way_of_a_pod.end());
  json document = {
      {"node", cluster.self.name}, {"host", host.notes}, {"peers", json::array()},
      {"pods", json::array()},     {"all", all},         {"running", status.service.has_value()}};
  for (const PeerCheck& peer : peers) {
    if (peer.problem) found.push_back(*peer.problem);
    if (!chosen.link) document["peers"].push_back(print_peer(peer));
  }
  for (const PodCheck& pod : pods) {
    found.insert(found.end(), pod.problems.begin(), pod.problems.end());
    document["pods"].push_back(print_pod(pod));
  }
  ProblemList problems = general_problems(status);
  if (chosen.lost) problems.push_back(*chosen.lost);
  add_missing(problems, found);
  sort_by_subject(problems);
  document["ok"] = problems.empty();
  document["problems"] = print(problems);
  return document;
}

int check_exit_status(const json& document) { return exit_status(parse_problem_list(document["problems"])); }

std::string print_check(const json& document) {
  const auto problems = parse_problem_list(document["problems"]);
  const auto good = [](const json& list) {
    return std::count_if(list.begin(), list.end(), [](const json& each) { return each["ok"].get<bool>(); });
  };
  const json& peers = document["peers"];
  const json& pods = document["pods"];
  std::string text = fmt::format(
      "node {}: {}; {} of {} pod subnets reached, {} of {} local pods in order\n", value(document, "node"),
      problems.empty() ? "all is well" : fmt::format("{} problem(s)", problems.size()), good(peers),
      peers.size(), good(pods), pods.size());
  for (const Problem& problem : problems)
    text += fmt::format("{}: {}\n", label(problem.subject), problem.text);
  for (const json& peer : peers)
    if (peer.contains("note")) text += fmt::format("note: {}\n", value(peer, "note"));
  if (document["all"].get<bool>()) return text;
  for (const json& peer : peers) text += print_details(peer);
  for (const json& pod : pods) text += print_details_of_pod(pod);
  for (const json& note : document["host"]) text += fmt::format("host: {}\n", note.get<std::string>());
  return text;
}

}  // namespace onlink::node
