// SPDX-License-Identifier: Apache-2.0
// This node, the others and the ways to them, drawn from what `status --json` prints, so that both always agree. Each
// other node is in the picture once, those with trouble first.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace onlink::node {

// The pod subnets of a peer with the same path, state and trouble.
struct PictureWay {
  std::string kind;   // "direct", "ipip", "vxlan", "none"
  std::string state;  // "ok", "blocked", "missing", ...
  std::string since;  // empty: not known
  std::vector<std::string> subnets;
  std::string trouble;  // why it is not "ok", in a sentence

  bool ok() const { return state == "ok"; }
};

struct PicturePeer {
  std::string name;
  std::vector<std::string> addresses;
  std::vector<PictureWay> ways;    // at least one
  std::vector<std::string> notes;  // other problems that name it, besides those of its ways

  bool ok() const;
  // Of all its ways: "direct", "direct + ipip"; and what is wrong, else "ok".
  std::string kinds() const;
  std::string states() const;
  std::vector<std::string> subnets() const;
};

// Peers whose kinds and states are the same, in the order of the list.
struct PictureGroup {
  std::string kinds;
  std::string states;
  bool ok = true;
  std::vector<const PicturePeer*> peers;
};

// All texts are printable().
struct Picture {
  std::string summary;
  std::string node;
  std::vector<std::string> addresses;
  std::vector<std::string> subnets;
  bool in_order = true;
  std::vector<std::string> problems;  // "problem: ...", except those of peers; what could not be seen
  std::vector<PicturePeer> peers;

  std::vector<PictureGroup> groups() const;                       // those with trouble first
  bool has_room() const { return peers.size() <= most_in_full; }  // to show each peer in full

  static constexpr std::size_t most_in_full = 12;
  static constexpr std::size_t most_troubles_in_full = 20;  // of a group, if there is no room
  static constexpr std::size_t most_problems = 10;
};

// document: of status_document().
Picture picture_of(const nlohmann::json& document);

// For a terminal: lines of at most 100 columns, in ASCII except for names.
std::string draw_text(const Picture& picture);
// A whole SVG 1.1 document that loads and runs nothing. Each peer is a <g data-peer="name" data-state="...">.
std::string draw_svg(const Picture& picture);

}  // namespace onlink::node
