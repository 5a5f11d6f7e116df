// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/picture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/add_once.h"
#include "base/text.h"
#include "node/cluster/problem.h"
#include "node/verbs/status.h"

namespace onlink::node {
namespace {

using nlohmann::json;

std::vector<std::string> printable_list(const json& array) {
  std::vector<std::string> texts;
  for (const json& each : array) texts.push_back(printable(each.get<std::string>()));
  return texts;
}

// Nothing for a path that is "ok". If the route is wrong, `why` does not say so: it says why the route should be.
std::string trouble_of(const json& path) {
  const auto state = path["state"].get<std::string>();
  if (state == "ok") return "";
  if (state == "blocked" || state == "no path" || !path.contains("route"))
    return printable(path["why"].get<std::string>());
  const auto route = printable(path["route"].get<std::string>());
  if (state == "missing") return "there is no route " + route;
  return fmt::format("the route should be {}", route);
}

void add_path(PicturePeer& peer, const json& path) {
  PictureWay way;
  way.kind = path["path"].get<std::string>();
  way.state = printable(path["state"].get<std::string>());
  way.since = path.value("since", "");
  way.trouble = trouble_of(path);
  const auto subnet = path["podCIDR"].get<std::string>();
  for (PictureWay& known : peer.ways) {
    if (std::tie(known.kind, known.state, known.trouble) != std::tie(way.kind, way.state, way.trouble))
      continue;
    known.subnets.push_back(subnet);
    known.since = std::max(known.since, way.since);
    return;
  }
  way.subnets.push_back(subnet);
  peer.ways.push_back(std::move(way));
}

std::vector<PicturePeer> peers_of(const json& document) {
  std::vector<PicturePeer> peers;
  std::map<std::string, std::size_t> places;  // by original name: printable ones may be equal
  for (const json& path : document["peers"]) {
    const auto name = path["name"].get<std::string>();
    const auto [place, is_new] = places.emplace(name, peers.size());
    if (is_new) peers.push_back({printable(name), printable_list(path["addresses"]), {}, {}});
    add_path(peers[place->second], path);
  }
  return peers;
}

// A peer's problems stand beside it, once; the others belong to the picture.
void add_problems(Picture& picture, const json& document) {
  std::map<std::string, std::vector<PicturePeer*>> peers;
  for (PicturePeer& peer : picture.peers) peers[peer.name].push_back(&peer);
  for (const Problem& problem : parse_problem_list(document["problems"])) {
    const auto found = peers.find(printable(problem.peer));
    const std::string text = printable(problem.text);
    if (problem.peer.empty() || found == peers.end()) {
      picture.problems.push_back(fmt::format("{}: {}", label(problem.subject), text));
      continue;
    }
    for (PicturePeer* peer : found->second)
      if (std::none_of(peer->ways.begin(), peer->ways.end(), [&](const PictureWay& way) {
            return !way.trouble.empty() && text.find(way.trouble) != std::string::npos;
          }))
        add_once(peer->notes, text);
  }
}

// In their order, each once.
std::string join_once(const std::vector<PictureWay>& ways, std::string PictureWay::*part, const char* but) {
  std::vector<std::string> parts;
  for (const PictureWay& way : ways)
    if (way.*part != but) add_once(parts, way.*part);
  return fmt::format("{}", fmt::join(parts, " + "));
}

int rank(const PictureGroup& group) {
  constexpr const char* order[] = {"direct", "ipip", "vxlan"};
  const auto at = std::find(std::begin(order), std::end(order), group.kinds);
  return (group.ok ? 10 : 0) + static_cast<int>(at - std::begin(order));
}

}  // namespace

bool PicturePeer::ok() const {
  return notes.empty() &&
         std::all_of(ways.begin(), ways.end(), [](const PictureWay& way) { return way.ok(); });
}

std::string PicturePeer::kinds() const { return join_once(ways, &PictureWay::kind, ""); }

std::string PicturePeer::states() const {
  const std::string states = join_once(ways, &PictureWay::state, "ok");
  return !states.empty() ? states : notes.empty() ? "ok" : "ok, but see below";
}

std::vector<std::string> PicturePeer::subnets() const {
  std::vector<std::string> all;
  for (const PictureWay& way : ways) all.insert(all.end(), way.subnets.begin(), way.subnets.end());
  return all;
}

std::vector<PictureGroup> Picture::groups() const {
  std::vector<PictureGroup> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const PicturePeer& peer : peers) {
    const auto [place, is_new] = places.emplace(std::pair(peer.kinds(), peer.states()), groups.size());
    if (is_new) groups.push_back({place->first.first, place->first.second, peer.ok(), {}});
    groups[place->second].peers.push_back(&peer);
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const PictureGroup& a, const PictureGroup& b) { return rank(a) < rank(b); });
  return groups;
}

Picture picture_of(const json& document) {
  Picture picture;
  picture.summary = printable(summary(document));
  picture.node = printable(document["node"].get<std::string>());
  picture.addresses = printable_list(document["addresses"]);
  picture.subnets = printable_list(document["podCIDRs"]);
  picture.in_order = document["inOrder"].get<bool>();
  picture.peers = peers_of(document);
  for (const std::string& what : printable_list(document["unseen"]))
    picture.problems.push_back("not visible without privileges: " + what);
  add_problems(picture, document);
  if (const std::size_t all = picture.problems.size(); all > Picture::most_problems) {
    picture.problems.resize(Picture::most_problems);
    picture.problems.push_back(
        fmt::format("and {} more: onlink-node status --problems", all - Picture::most_problems));
  }
  const bool is_said =
      !picture.problems.empty() || std::any_of(picture.peers.begin(), picture.peers.end(),
                                               [](const PicturePeer& peer) { return !peer.ok(); });
  if (!picture.in_order && !is_said)
    picture.problems.emplace_back("problem: something is not as it should be; onlink-node plan says what");
  return picture;
}

}  // namespace onlink::node
