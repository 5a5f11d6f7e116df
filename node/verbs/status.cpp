// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "netlink/sysctl.h"
#include "node/routes/path_state.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr std::size_t shown_changes = 5;

// Which list a peer comes from.
std::string origin_of(const std::string& peer, const std::set<std::string>& kept, const StatusInput& input) {
  if (kept.contains(peer)) return "an earlier list";
  if (!input.nodes.complete && (!input.service || !input.service->complete)) return "the last good list";
  return input.service ? input.service->source : "the list";
}

json print_addresses(const Node& node) {
  json addresses = json::array();
  for (const auto& address : {node.ipv4, node.ipv6})
    if (address) addresses.push_back(address->to_string());
  return addresses;
}

json print_subnets(const Node& node) {
  json subnets = json::array();
  for (const IpPrefix& cidr : node.pod_cidrs) subnets.push_back(cidr.to_string());
  return subnets;
}

json print_peers(const StatusInput& input) {
  std::map<std::string, json> addresses;
  for (const Node& node : input.nodes.cluster.peers) addresses[node.name] = print_addresses(node);
  std::map<IpPrefix, const netlink::Route*> routes;
  for (const netlink::Route& route : input.plan.desired.routes) routes[route.dst] = &route;
  const PathStates states = PathStates::before(input.plan.changes);
  const auto times = parse_paths(input.state.paths);
  const auto& kept_names = input.service ? input.service->kept : input.nodes.kept;
  const std::set<std::string> kept(kept_names.begin(), kept_names.end());
  json peers = json::array();
  for (const PeerPath& path : input.plan.desired.paths) {
    json peer = {{"name", path.peer},
                 {"addresses", addresses[path.peer]},
                 {"podCIDR", path.cidr.to_string()},
                 {mode_key(path.encapsulation), to_string(path.mode)},
                 {"path", to_string(path.kind)},
                 {"why", path.obstacle.empty() ? path.why : path.obstacle},
                 {"from", origin_of(path.peer, kept, input)},
                 {"state", states.of(path)}};
    if (const auto route = routes.find(path.cidr); route != routes.end())
      peer["route"] = netlink::to_string(*route->second, input.plan.host.link_name(route->second->link));
    const auto since = times.find(path.cidr.to_string());
    if (since != times.end() && peer["state"] == "ok") peer["since"] = in_utc(since->second.when);
    peers.push_back(std::move(peer));
  }
  return peers;
}

json print_tunnel(const StatusInput& input) {
  const auto& device = input.plan.host.tunnel;
  if (!input.plan.desired.tunnel || !device) return nullptr;
  return {{"device", device->name},
          {"address", input.plan.desired.tunnel->address.to_string()},
          {"mtu", device->mtu},
          {"up", device->up()},
          {"pmtudisc", device->ipip && device->ipip->pmtudisc},
          {"rpFilter", netlink::read_sysctl(rp_filter_setting(device->name)).value_or("")}};
}

json print_vxlan(const StatusInput& input) {
  const auto& device = input.plan.host.vxlan;
  const auto& wanted = input.plan.desired.vxlan;
  if (!wanted || !device) return nullptr;
  json addresses = json::array();
  for (const IpAddress& address : wanted->addresses) addresses.push_back(address.to_string());
  return {{"device", device->name},
          {"local", wanted->settings.local->to_string()},
          {"port", wanted->settings.port},
          {"vni", wanted->settings.vni},
          {"addresses", std::move(addresses)},
          {"mtu", device->mtu},
          {"up", device->up()},
          {"entries", input.plan.host.vxlan_entries.fdb.size()}};
}

// Notes what `apply` would change.
void note_differences(const Pass& plan, ProblemList& problems) {
  if (!plan.changed()) return;
  auto lines = commands(plan.changes, plan.host);
  if (!plan.rules.empty()) lines.emplace_back("the table inet onlink anew");
  const std::size_t more = lines.size() > shown_changes ? lines.size() - shown_changes : 0;
  lines.resize(lines.size() - more);
  problems.push_back(
      {"differs", Subject::node,
       fmt::format("this node is not as it should be; onlink-node apply would do: {}{}",
                   fmt::join(lines, "; "), more == 0 ? "" : fmt::format("; and {} more", more))});
}

// What only the process that tried it knows.
bool is_of_attempt(const Problem& problem) {
  constexpr std::array kinds = {"change-failed", "rules-failed", "pass-failed", "state-not-saved",
                                "pod-not-mended"};
  return std::find(kinds.begin(), kinds.end(), problem.kind) != kinds.end();
}

}  // namespace

// This node's first, then the list's.
ProblemList all_problems(const StatusInput& input) {
  ProblemList problems = input.plan.problems;
  note_differences(input.plan, problems);
  if (input.service) {
    ProblemList of_service = input.service->list_problems;
    std::copy_if(input.service->problems.begin(), input.service->problems.end(),
                 std::back_inserter(of_service), is_of_attempt);
    add_missing(problems, of_service);
    if (const std::string& words = input.service->source_problem; !words.empty())
      problems.push_back({"list-incomplete", Subject::list, input.service->source + ": " + words});
  }
  sort_by_subject(problems);
  return problems;
}

std::vector<std::string> path_states(const Pass& plan) {
  const PathStates states = PathStates::before(plan.changes);
  std::vector<std::string> texts;
  for (const PeerPath& path : plan.desired.paths) texts.push_back(states.of(path));
  return texts;
}

namespace {

// Senders of packets with an inner source that is not theirs, the busiest first.
json print_senders(const StatusInput& input) {
  std::map<IpAddress, std::string> names;
  for (const Node& peer : input.nodes.cluster.peers)
    if (peer.ipv4) names[*peer.ipv4] = peer.name;
  std::vector<std::pair<std::uint64_t, IpAddress>> busiest;
  for (const auto& [sender, count] : input.counts.senders) busiest.emplace_back(count.packets, sender);
  std::sort(busiest.begin(), busiest.end(), std::greater());
  json senders = json::array();
  for (const auto& [packets, sender] : busiest) {
    const auto name = names.find(sender);
    senders.push_back({{"sender", sender.to_string()},
                       {"peer", name == names.end() ? json() : json(name->second)},
                       {"packets", packets}});
  }
  return senders;
}

// The busiest of them, for people.
std::string print_busiest(const json& senders) {
  constexpr std::size_t most = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(senders.size(), most); ++i) {
    const json& sender = senders[i];
    text += fmt::format("  {} packets from {} ({})\n", sender["packets"].get<std::uint64_t>(),
                        sender["sender"].get<std::string>(),
                        sender["peer"].is_null() ? "no peer" : sender["peer"].get<std::string>());
  }
  if (senders.size() > most) text += fmt::format("  and {} more senders\n", senders.size() - most);
  return text;
}

std::string value_or_dash(const json& object, const char* key) {
  return object.contains(key) ? object[key].get<std::string>() : "-";
}

}  // namespace

json status_document(const StatusInput& input) {
  const ProblemList problems = all_problems(input);
  json counters = json::object();
  for (const auto& [name, count] : input.counts.counters) counters[name] = count.packets;
  json document = {{"node", input.nodes.cluster.self.name},
                   {"addresses", print_addresses(input.nodes.cluster.self)},
                   {"podCIDRs", print_subnets(input.nodes.cluster.self)},
                   {"running", input.service.has_value()},
                   {"inOrder", !concerns_node(problems)},
                   {"podMtu", input.plan.desired.pod_mtu},
                   {"tunnel", print_tunnel(input)},
                   {"vxlan", print_vxlan(input)},
                   {"rpFilterAll", netlink::read_sysctl("net/ipv4/conf/all/rp_filter").value_or("")},
                   {"dropped", std::move(counters)},
                   {"forgedInnerBy", print_senders(input)},
                   {"problems", print(problems)},
                   {"unseen", input.plan.unseen},
                   {"peers", print_peers(input)}};
  if (input.service)
    document["service"] = {{"pid", input.service->pid},
                           {"source", input.service->source},
                           {"sourceProblem", input.service->source_problem},
                           {"complete", input.service->complete},
                           {"passes", input.service->passes},
                           {"repairs", input.service->repairs},
                           {"overflows", input.service->overflows}};
  return document;
}

namespace {

// "500 pod subnets: 498 ok, 2 blocked"
std::string count_states(const json& peers) {
  std::map<std::string, std::size_t> states;
  for (const json& peer : peers) ++states[peer["state"].get<std::string>()];
  std::string text = fmt::format("{} pod subnet{} of others", peers.size(), peers.size() == 1 ? "" : "s");
  const char* separator = ": ";
  for (const auto& [state, count] : states) {
    text += fmt::format("{}{} {}", separator, count, state);
    separator = ", ";
  }
  return text;
}

std::string print_table(const json& peers, const StatusView& view) {
  std::vector<std::array<std::string, 6>> rows = {{"PEER", "POD SUBNET", "PATH", "STATE", "SINCE", "WHY"}};
  for (const json& peer : peers)
    if (!view.problems_only || peer["state"] != "ok")
      rows.push_back({peer["name"].get<std::string>(), peer["podCIDR"].get<std::string>(),
                      peer["path"].get<std::string>(), peer["state"].get<std::string>(),
                      value_or_dash(peer, "since"), peer["why"].get<std::string>()});
  if (rows.size() == 1) return "";
  std::array<std::size_t, 6> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:<{}} ", row[i], widths[i]);
    text += row.back() + "\n";
  }
  return text;
}

}  // namespace

bool keep_peer(json& document, const std::string& name) {
  json kept = json::array();
  for (const json& peer : document["peers"])
    if (peer["name"] == name) kept.push_back(peer);
  document["peers"] = kept;
  json problems = json::array();
  for (const json& problem : document["problems"])
    if (problem.value("peer", name) == name) problems.push_back(problem);
  document["problems"] = problems;
  return !kept.empty();
}

std::string summary(const json& document) {
  return fmt::format("node {}: {}, {}; {}; {} problem(s)", document["node"].get<std::string>(),
                     document["inOrder"].get<bool>() ? "in order" : "NOT in order",
                     document["running"].get<bool>() ? "onlink-node run is active" : "no service is running",
                     count_states(document["peers"]), document["problems"].size());
}

std::string print_status(const json& document, StatusView view) {
  std::string text = summary(document) + "\n";
  for (const json& what : document["unseen"])
    text += fmt::format("not visible without privileges: {}\n", what.get<std::string>());
  if (const auto service = document.find("service"); service != document.end()) {
    const auto& problem = (*service)["sourceProblem"].get_ref<const std::string&>();
    text += fmt::format("nodes from {}: {}\n", (*service)["source"].get<std::string>(),
                        problem.empty() ? "in sync" : problem);
  }
  if (const json& tunnel = document["tunnel"]; tunnel.is_object())
    text += fmt::format("tunnel {} {} mtu {}{}\n", tunnel["device"].get<std::string>(),
                        tunnel["address"].get<std::string>(), tunnel["mtu"].get<unsigned>(),
                        tunnel["up"].get<bool>() ? "" : " DOWN");
  if (const json& vxlan = document["vxlan"]; vxlan.is_object())
    text +=
        fmt::format("{} from {} port {} VNI {} mtu {}, {} entries{}\n", vxlan["device"].get<std::string>(),
                    vxlan["local"].get<std::string>(), vxlan["port"].get<unsigned>(),
                    vxlan["vni"].get<unsigned>(), vxlan["mtu"].get<unsigned>(),
                    vxlan["entries"].get<std::size_t>(), vxlan["up"].get<bool>() ? "" : " DOWN");
  for (const auto& [name, packets] : document["dropped"].items()) {
    text += fmt::format("dropped {}: {} packets\n", name, packets.get<std::uint64_t>());
    if (name == "forged_inner") text += print_busiest(document["forgedInnerBy"]);
  }
  for (const Problem& problem : parse_problem_list(document["problems"]))
    text += fmt::format("{}: {}\n", label(problem.subject), problem.text);
  text += print_table(document["peers"], view);
  return text;
}

}  // namespace onlink::node
