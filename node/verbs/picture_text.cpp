// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "node/verbs/picture.h"

namespace onlink::node {
namespace {

constexpr std::size_t page = 100;
constexpr std::string_view margin = "      ";
constexpr std::size_t trunk = margin.size();  // the column from which all ways go
constexpr std::size_t arrow_columns = 17;
constexpr std::size_t words_at = trunk + 1 + arrow_columns + 1;
constexpr std::size_t words_columns = page - words_at;

std::string padded(std::string text, std::size_t columns) {
  text.append(columns - std::min(columns, columns_of(text)), ' ');
  return text;
}

// "---- direct ---->", "==== ipip ====X", "    no path  X": the line alone shows the kind, without its name.
std::string arrow(const std::string& kinds, bool ok) {
  if (kinds == "none") return "    no path  X   ";
  const char line = kinds == "direct" ? '-' : kinds == "ipip" ? '=' : kinds == "vxlan" ? '~' : '-';
  std::string text = fmt::format("{} {} ", std::string(kinds.size() > 8 ? 1 : 4, line), shortened(kinds, 12));
  const std::size_t end = ok ? arrow_columns - 1 : arrow_columns - 3;
  text.append(end - std::min(end, text.size()), line);
  return padded(text + (ok ? ">" : "X"), arrow_columns);
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string draw_node(const Picture& picture) {
  std::vector<std::string> lines = wrapped(picture.node, page - 8);
  for (const std::string& address : picture.addresses) lines.push_back(address);
  for (const std::string& subnet : picture.subnets) lines.push_back("pods " + subnet);
  lines.emplace_back(picture.in_order ? "this node" : "this node, NOT in order");
  std::size_t columns = 22;
  for (const std::string& line : lines) columns = std::max(columns, columns_of(line));
  const std::string border = fmt::format("  +{:-<{}}+\n", "", columns + 2);
  std::string text = border;
  for (const std::string& line : lines) text += fmt::format("  | {} |\n", padded(line, columns));
  return text + border;
}

// A branch of the trunk: an arrow, and words beside and below it.
struct Branch {
  std::string arrow;
  std::vector<std::string> lines;
};

std::string draw_branches(const std::vector<Branch>& branches, bool apart) {
  std::string text;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const Branch& branch = branches[i];
    const bool last = i + 1 == branches.size();
    if (apart || i == 0) text += fmt::format("{}|\n", margin);
    for (std::size_t j = 0; j < branch.lines.size(); ++j) {
      const std::string left = j == 0 ? "+" + branch.arrow : last ? "" : "|";
      std::string line = fmt::format("{}{} {}", margin, padded(left, arrow_columns + 1), branch.lines[j]);
      line.resize(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
  }
  return text;
}

void add_indented(std::vector<std::string>& lines, const std::string& text) {
  for (const std::string& line : wrapped(text, words_columns - 2)) lines.push_back("  " + line);
}

struct Row {
  std::string name, addresses, pods, state;
};

Row row_of(const PicturePeer& peer, const PictureWay& way, bool with_since) {
  const bool first = &way == &peer.ways.front();
  return {first ? peer.name : "", first ? joined(peer.addresses) : "", joined(way.subnets),
          with_since && !way.since.empty() ? way.state + " since " + way.since : way.state};
}

struct Columns {
  static constexpr std::size_t gaps = 6;  // two blanks after each but the last
  std::size_t name = 0, addresses = 0, pods = 0, state = 0;
  bool with_since = true;

  void fit(const Row& row) {
    name = std::max(name, columns_of(row.name));
    addresses = std::max(addresses, columns_of(row.addresses));
    pods = std::max(pods, columns_of(row.pods));
    state = std::max(state, columns_of(row.state));
  }
  bool has_room() const { return name + addresses + pods + state + gaps <= words_columns; }
};

// In one line if there is room; else each column has its own lines.
std::vector<std::string> print_row(const Row& row, const Columns& columns) {
  if (columns.has_room())
    return {fmt::format("{}  {}  {}  {}", padded(row.name, columns.name),
                        padded(row.addresses, columns.addresses), padded(row.pods, columns.pods), row.state)};
  std::vector<std::string> lines;
  if (!row.name.empty()) lines.push_back(shortened(row.name, words_columns));
  if (!row.addresses.empty()) add_indented(lines, row.addresses);
  add_indented(lines, "pods " + row.pods);
  add_indented(lines, row.state);
  if (row.name.empty()) lines.front().erase(0, 2);
  return lines;
}

// Leaves out "since" if a peer would otherwise need more than one line.
Columns columns_for(const std::vector<const PicturePeer*>& peers) {
  Columns columns;
  for (const bool with_since : {true, false}) {
    columns = {.with_since = with_since};
    for (const PicturePeer* peer : peers)
      for (const PictureWay& way : peer->ways) columns.fit(row_of(*peer, way, with_since));
    if (columns.has_room()) return columns;
  }
  columns.with_since = true;
  return columns;
}

void add_troubles(std::vector<std::string>& lines, const PicturePeer& peer, const PictureWay& way) {
  if (!way.trouble.empty()) add_indented(lines, way.trouble);
  if (&way == &peer.ways.back())
    for (const std::string& note : peer.notes) add_indented(lines, note);
}

std::string draw_each(const Picture& picture) {
  std::vector<const PicturePeer*> peers;
  for (const PictureGroup& group : picture.groups())
    peers.insert(peers.end(), group.peers.begin(), group.peers.end());
  const Columns columns = columns_for(peers);
  std::vector<Branch> branches;
  for (const PicturePeer* peer : peers)
    for (const PictureWay& way : peer->ways) {
      Branch branch{arrow(way.kind, way.ok()), print_row(row_of(*peer, way, columns.with_since), columns)};
      add_troubles(branch.lines, *peer, way);
      branches.push_back(std::move(branch));
    }
  return draw_branches(branches, !columns.has_room());
}

// In columns as ls(1), but from left to right. If there are many, no name takes more than a third of a line.
void add_names(std::vector<std::string>& lines, const std::vector<const PicturePeer*>& peers,
               std::size_t from) {
  std::size_t widest = 0;
  for (std::size_t i = from; i < peers.size(); ++i) widest = std::max(widest, columns_of(peers[i]->name));
  widest = std::min(widest, peers.size() > Picture::most_in_full ? (words_columns - 4) / 3 : words_columns);
  const std::size_t per_line = std::max<std::size_t>(1, (words_columns + 2) / (widest + 2));
  for (std::size_t i = from; i < peers.size(); ++i) {
    const std::string name = padded(shortened(peers[i]->name, widest), widest);
    if ((i - from) % per_line == 0)
      lines.push_back(name);
    else
      lines.back() += "  " + name;
  }
}

std::string count(std::size_t number, const std::string& what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

Branch draw_group(const PictureGroup& group) {
  Branch branch{arrow(group.kinds, group.ok),
                wrapped(count(group.peers.size(), "node") + ": " + group.states, words_columns)};
  std::size_t in_full = 0;
  if (!group.ok) {
    in_full = std::min(group.peers.size(), Picture::most_troubles_in_full);
    const std::vector<const PicturePeer*> shown(group.peers.begin(),
                                                group.peers.begin() + static_cast<std::ptrdiff_t>(in_full));
    const Columns columns = columns_for(shown);
    for (const PicturePeer* peer : shown)
      for (const PictureWay& way : peer->ways) {
        for (std::string& line : print_row(row_of(*peer, way, columns.with_since), columns))
          branch.lines.push_back(std::move(line));
        add_troubles(branch.lines, *peer, way);
      }
    if (in_full < group.peers.size())
      branch.lines.push_back(fmt::format("and {} more:", group.peers.size() - in_full));
  }
  add_names(branch.lines, group.peers, in_full);
  return branch;
}

std::string draw_groups(const Picture& picture) {
  std::vector<Branch> branches;
  for (const PictureGroup& group : picture.groups()) branches.push_back(draw_group(group));
  return draw_branches(branches, true);
}

}  // namespace

std::string draw_text(const Picture& picture) {
  std::string text;
  for (const std::string& line : wrapped(picture.summary, page)) text += line + "\n";
  for (const std::string& problem : picture.problems) {
    const auto lines = wrapped(problem, page - 2);
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "" : "  ") + lines[i] + "\n";
  }
  text += "\n" + draw_node(picture);
  if (picture.peers.empty()) return text + fmt::format("{}|\n{}no other node has pods\n", margin, margin);
  return text + (picture.has_room() ? draw_each(picture) : draw_groups(picture));
}

}  // namespace onlink::node
