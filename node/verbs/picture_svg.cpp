// SPDX-License-Identifier: Apache-2.0
// Geometry in pixels. The node is on the left; right of it is a trunk with a branch to each box or panel. So no layout
// search is needed, and nothing ever overlaps.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "node/verbs/picture.h"

namespace onlink::node {
namespace {

constexpr int page = 1200;
constexpr int edge = 24;
constexpr int line_height = 18;
constexpr double character = 7.3;  // of the widest of the fonts below, at 12 pixels
constexpr int node_width = 250;
constexpr int trunk = edge + node_width + 26;
constexpr int boxes_at = trunk + 160;
constexpr int boxes_width = page - edge - boxes_at;
constexpr int padding = 10;
constexpr std::size_t most_named_cells = 600;

// Red-green colour-blind people can tell these colours apart; each also has a shape or a word.
constexpr std::string_view style = R"(
    .page { fill: #ffffff }
    text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; fill: #1b1f24 }
    .name { font-weight: bold }
    .head { font-size: 15px; font-weight: bold }
    .soft { fill: #57606a }
    .bad { fill: #a40e26; font-weight: bold }
    .box { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.2 }
    .cell { fill: #ddf0e4; stroke: #4c8a66; stroke-width: 1 }
    .trouble { fill: #fff1ee; stroke: #a40e26; stroke-width: 2.5 }
    .trunk, .direct, .ipip, .vxlan, .mixed, .none { fill: none; stroke: #57606a; stroke-width: 2 }
    .direct { stroke: #1f6f43 }
    .ipip { stroke: #0b5cad; stroke-width: 3; stroke-dasharray: 12 5 }
    .vxlan { stroke: #7a3e9d; stroke-width: 3; stroke-dasharray: 3 4 }
    .none { stroke: #a40e26; stroke-dasharray: 1 6 }
    .cross { fill: none; stroke: #a40e26; stroke-width: 3.5 }
    .tip { fill: #57606a }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 }
      text { fill: #e6edf3 }
      .soft { fill: #9da7b3 }
      .bad { fill: #ff9a8f }
      .box { fill: #161b22; stroke: #9da7b3 }
      .cell { fill: #12331f; stroke: #5fb383 }
      .trouble { fill: #3a1513; stroke: #ff7b72 }
      .trunk, .mixed { stroke: #9da7b3 }
      .direct { stroke: #5fb383 }
      .ipip { stroke: #6cb6ff }
      .vxlan { stroke: #d2a8ff }
      .none, .cross { stroke: #ff7b72 }
      .tip { fill: #9da7b3 }
    }
  )";

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  return safe;
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::size_t columns_in(int width) { return static_cast<std::size_t>((width - 2 * padding) / character); }

std::string line_class(const std::string& kinds) {
  return kinds == "direct" || kinds == "ipip" || kinds == "vxlan" || kinds == "none" ? kinds : "mixed";
}
std::string way_words(const std::string& kinds) { return kinds == "none" ? "no path" : kinds; }

class Sheet {
 public:
  void raw(std::string_view text) { text_ += text; }
  void text(int x, int y, std::string_view words, std::string_view of = "") {
    text_ += fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>\n", x, y,
                         of.empty() ? "" : fmt::format(" class=\"{}\"", of), escaped(words));
  }
  void box(int x, int y, int width, int height, std::string_view of, int round = 6) {
    text_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" class=\"{}\"/>\n", x,
                         y, width, height, round, of);
  }
  void line(int x1, int y1, int x2, int y2, std::string_view of) {
    text_ += fmt::format("<path d=\"M{} {}L{} {}\" class=\"{}\"/>\n", x1, y1, x2, y2, of);
  }
  void cross(int x, int y) {
    text_ += fmt::format("<path d=\"M{0} {1}l14 14m0 -14l-14 14\" class=\"cross\"/>\n", x - 7, y - 7);
  }
  void tip(int x, int y) { text_ += fmt::format("<path d=\"M{0} {1}l-11 -6v12z\" class=\"tip\"/>\n", x, y); }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

// From the trunk to a box: the line shows the kind of path, its end whether packets arrive.
void draw_way(Sheet& sheet, int y, const std::string& kinds, const std::string& states, bool ok) {
  sheet.line(trunk, y, boxes_at - (ok ? 10 : 0), y, line_class(kinds));
  if (ok)
    sheet.tip(boxes_at, y);
  else
    sheet.cross(boxes_at - 14, y);
  constexpr std::size_t columns = 19;
  if (ok || kinds == "none")
    sheet.text(trunk + 8, y - 9, shortened(way_words(kinds), columns), ok ? "" : "bad");
  else
    sheet.text(trunk + 8, y - 9, shortened(kinds + ": " + states, columns), "bad");
}

// The tooltip, which screen readers also read.
std::string describe(const PicturePeer& peer) {
  std::string text = fmt::format("{}, {}", peer.name, joined(peer.addresses));
  for (const PictureWay& way : peer.ways) {
    text += fmt::format("\npods {}: {}, {}", joined(way.subnets), way_words(way.kind), way.state);
    if (!way.since.empty()) text += " since " + way.since;
    if (!way.trouble.empty()) text += ": " + way.trouble;
  }
  for (const std::string& note : peer.notes) text += "\n" + note;
  return text;
}

void open_peer(Sheet& sheet, const PicturePeer& peer) {
  sheet.raw(fmt::format("<g data-peer=\"{}\" data-state=\"{}\"><title>{}</title>\n", escaped(peer.name),
                        escaped(peer.states()), escaped(describe(peer))));
}

int box_height(std::size_t lines) { return static_cast<int>(lines) * line_height + 14; }

struct Line {
  std::string words;
  std::string_view of = {};
};

void add_wrapped(std::vector<Line>& lines, const std::string& text, int width, std::string_view of = {}) {
  for (std::string& line : wrapped(text, columns_in(width))) lines.push_back({std::move(line), of});
}

// A peer in full. way_lines: the line of each of its ways, where the line from the trunk ends.
struct Card {
  std::vector<Line> lines;
  std::vector<std::size_t> way_lines;

  int height() const { return box_height(lines.size()); }
};

Card card_of(const PicturePeer& peer, int width) {
  Card card;
  card.lines.push_back({shortened((peer.ok() ? "" : "! ") + peer.name, columns_in(width)), "name"});
  const bool simple = peer.ways.size() == 1;
  if (!simple) add_wrapped(card.lines, joined(peer.addresses), width);
  for (const PictureWay& way : peer.ways) {
    card.way_lines.push_back(card.lines.size());
    const std::string pods = "pods " + joined(way.subnets);
    add_wrapped(card.lines, simple ? joined(peer.addresses) + ", " + pods : pods, width);
    if (way.ok() && !way.since.empty()) add_wrapped(card.lines, "ok since " + way.since, width, "soft");
    if (!way.ok()) add_wrapped(card.lines, way.state + ": " + way.trouble, width, "bad");
  }
  for (const std::string& note : peer.notes) add_wrapped(card.lines, note, width);
  return card;
}

void draw_card(Sheet& sheet, const PicturePeer& peer, const Card& card, int x, int y, int width) {
  open_peer(sheet, peer);
  sheet.box(x, y, width, card.height(), peer.ok() ? "box" : "trouble");
  for (const Line& line : card.lines) sheet.text(x + padding, y += line_height, line.words, line.of);
  sheet.raw("</g>\n");
}

// Returns the y for the next thing, as all functions that draw downwards do. leaves: where ways leave the trunk.
int draw_each(Sheet& sheet, const Picture& picture, int y, std::vector<int>& leaves) {
  for (const PictureGroup& group : picture.groups())
    for (const PicturePeer* peer : group.peers) {
      const Card card = card_of(*peer, boxes_width);
      for (std::size_t i = 0; i < peer->ways.size(); ++i) {
        const PictureWay& way = peer->ways[i];
        // A single way ends at the name, each of several at its pods.
        const auto at = static_cast<int>(peer->ways.size() == 1 ? 1 : card.way_lines[i]);
        leaves.push_back(y + 14 + at * line_height);
        draw_way(sheet, leaves.back(), way.kind, way.state, way.ok());
      }
      draw_card(sheet, *peer, card, boxes_at, y, boxes_width);
      y += card.height() + 16;
    }
  return y;
}

// Many peers as a grid of cells, with their names unless the picture would become too large.
int draw_cells(Sheet& sheet, const PictureGroup& group, std::size_t from, bool named, int y) {
  constexpr std::size_t longest = 21;
  std::size_t columns = 4;
  for (std::size_t i = from; i < group.peers.size(); ++i)
    columns = std::max(columns, std::min(longest, columns_of(group.peers[i]->name)));
  const int width = named ? static_cast<int>(static_cast<double>(columns) * character) + 14 : 12;
  const int height = named ? 22 : 12;
  constexpr int gap = 4;
  const int per_row = std::max(1, (boxes_width - 2 * padding + gap) / (width + gap));
  int x = 0;
  for (std::size_t i = from; i < group.peers.size(); ++i) {
    const PicturePeer& peer = *group.peers[i];
    const int place = static_cast<int>(i - from);
    x = boxes_at + padding + place % per_row * (width + gap);
    if (place != 0 && place % per_row == 0) y += height + gap;
    open_peer(sheet, peer);
    sheet.box(x, y, width, height, group.ok ? "cell" : "trouble", 3);
    if (named) sheet.text(x + 7, y + 15, shortened(peer.name, columns));
    sheet.raw("</g>\n");
  }
  return from < group.peers.size() ? y + height : y;
}

int draw_group(Sheet& sheet, const PictureGroup& group, bool named, int y, std::vector<int>& leaves) {
  const std::size_t in_full = group.ok ? 0 : std::min(group.peers.size(), Picture::most_troubles_in_full);
  Sheet inside;
  const int top = y;
  leaves.push_back(y + line_height + padding - 4);
  y += line_height + padding;
  inside.text(boxes_at + padding, y,
              fmt::format("{} node{}, {}: {}", group.peers.size(), group.peers.size() == 1 ? "" : "s",
                          way_words(group.kinds), group.states),
              "name");
  y += padding;
  for (std::size_t i = 0; i < in_full; ++i) {
    const Card card = card_of(*group.peers[i], boxes_width - 2 * padding);
    draw_card(inside, *group.peers[i], card, boxes_at + padding, y, boxes_width - 2 * padding);
    y += card.height() + 8;
  }
  y = draw_cells(inside, group, in_full, named, y) + padding;
  draw_way(sheet, leaves.back(), group.kinds, group.states, group.ok);
  sheet.box(boxes_at, top, boxes_width, y - top, "box");
  sheet.raw(inside.str());
  return y + 16;
}

int draw_peers(Sheet& sheet, const Picture& picture, int y, std::vector<int>& leaves) {
  if (picture.has_room()) return draw_each(sheet, picture, y, leaves);
  const bool named = picture.peers.size() <= most_named_cells;
  for (const PictureGroup& group : picture.groups()) y = draw_group(sheet, group, named, y, leaves);
  return y;
}

int draw_node(Sheet& sheet, const Picture& picture, int y) {
  std::vector<Line> lines;
  add_wrapped(lines, (picture.in_order ? "" : "! ") + picture.node, node_width, "name");
  for (const std::string& address : picture.addresses) add_wrapped(lines, address, node_width);
  for (const std::string& subnet : picture.subnets) add_wrapped(lines, "pods " + subnet, node_width);
  lines.push_back({"this node", "soft"});
  if (!picture.in_order) lines.push_back({"NOT in order", "bad"});
  const int height = box_height(lines.size());
  sheet.box(edge, y, node_width, height, picture.in_order ? "box" : "trouble");
  int at = y;
  for (const Line& line : lines) sheet.text(edge + padding, at += line_height, line.words, line.of);
  return y + height + 20;
}

int draw_legend(Sheet& sheet, const Picture& picture, int y) {
  struct Entry {
    const char* kind;
    const char* words;
  };
  constexpr Entry entries[] = {{"direct", "direct: on one network"},
                               {"ipip", "ipip: IP in IP"},
                               {"vxlan", "vxlan: in UDP"},
                               {"none", "no path"}};
  std::vector<PictureWay> ways;
  for (const PicturePeer& peer : picture.peers) ways.insert(ways.end(), peer.ways.begin(), peer.ways.end());
  for (const auto& [kind, words] : entries) {
    if (std::none_of(ways.begin(), ways.end(),
                     [&, kind = kind](const PictureWay& way) { return way.kind == kind; }))
      continue;
    sheet.line(edge, y, edge + 44, y, kind);
    sheet.text(edge + 56, y + 4, words, "soft");
    y += line_height + 4;
  }
  if (std::all_of(ways.begin(), ways.end(), [](const PictureWay& way) { return way.ok(); })) return y;
  sheet.cross(edge + 22, y);
  sheet.text(edge + 56, y + 4, "not as it should be", "soft");
  return y + line_height + 4;
}

int draw_head(Sheet& sheet, const Picture& picture) {
  int y = edge + 8;
  constexpr std::size_t head_columns = 125;
  for (const std::string& line : wrapped(picture.summary, head_columns)) {
    sheet.text(edge, y, line, "head");
    y += line_height + 4;
  }
  for (const std::string& problem : picture.problems) {
    bool first = true;
    for (const std::string& line : wrapped(problem, columns_in(page - 2 * edge) - 2)) {
      sheet.text(first ? edge : edge + 15, y, line, problem.starts_with("problem:") ? "bad" : "");
      y += line_height;
      first = false;
    }
  }
  return y + 8;
}

}  // namespace

std::string draw_svg(const Picture& picture) {
  Sheet sheet;
  const int top = draw_head(sheet, picture);
  int left_end = draw_node(sheet, picture, top);
  left_end = draw_legend(sheet, picture, left_end);
  int right_end = top;
  if (picture.peers.empty()) {
    sheet.text(trunk, top + line_height + padding, "no other node has pods", "soft");
  } else {
    std::vector<int> leaves;
    Sheet ways;
    right_end = draw_peers(ways, picture, top, leaves);
    sheet.line(edge + node_width, leaves.front(), trunk, leaves.front(), "trunk");
    sheet.line(trunk, leaves.front(), trunk, leaves.back(), "trunk");
    sheet.raw(ways.str());
  }
  const int height = std::max(left_end, right_end) + edge - 8;
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "role=\"img\" "
      "aria-labelledby=\"title desc\">\n"
      "<title id=\"title\">The ways from node {2} to the other nodes' pods</title>\n<desc "
      "id=\"desc\">{3}</desc>\n"
      "<style>{4}</style>\n<rect width=\"{0}\" height=\"{1}\" class=\"page\"/>\n{5}</svg>\n",
      page, height, escaped(picture.node), escaped(picture.summary), style, sheet.str());
}

}  // namespace onlink::node
