// SPDX-License-Identifier: Apache-2.0
// What is not as it should be: in a sentence for people, and as a value for programs.
#pragma once

#include <compare>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace onlink::node {

// Whose fault it is. A problem with a peer that this node has to mend (somebody else holds its route) is this node's.
enum class Subject : std::uint8_t { node, peer, list };
const char* to_string(Subject subject);
// How a line about it begins: "problem", "problem elsewhere".
const char* label(Subject subject);

struct Problem {
  std::string kind;  // a short word that stays the same: "route-held"
  Subject subject = Subject::node;
  std::string text;
  std::string peer = {};  // the node that it concerns; empty: no single other node

  auto operator<=>(const Problem&) const = default;
};
using ProblemList = std::vector<Problem>;

// This node's first, then the list's, then the peers'; stable.
void sort_by_subject(ProblemList& problems);
// Those of `these` that are not among `those`.
ProblemList missing_in(const ProblemList& these, const ProblemList& those);
// Appends those that are not there yet.
void add_missing(ProblemList& problems, const ProblemList& more);
bool concerns_node(const ProblemList& problems);
// Of `status`, `plan` and `check`: 0, 1 (this node), 3 (other nodes or the list only). 2 is a wrong command line.
int exit_status(const ProblemList& problems);
std::vector<std::string> sentences(const ProblemList& problems);
// One problem of this kind for each text.
void add_problems(ProblemList& problems, const char* kind, Subject subject,
                  const std::vector<std::string>& texts);

// {"kind", "severity": "error" (this node) or "warning", "subject", "text", "peer"}
nlohmann::json print(const ProblemList& problems);
// Throws nlohmann::json::exception.
ProblemList parse_problem_list(const nlohmann::json& document);

}  // namespace onlink::node
