// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/problem.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace onlink::node {

const char* to_string(Subject subject) {
  switch (subject) {
    case Subject::node:
      return "node";
    case Subject::peer:
      return "peer";
    default:
      return "list";
  }
}

const char* label(Subject subject) {
  switch (subject) {
    case Subject::node:
      return "problem";
    case Subject::list:
      return "problem of the list";
    default:
      return "problem elsewhere";
  }
}

void sort_by_subject(ProblemList& problems) {
  const auto rank = [](const Problem& problem) {
    return problem.subject == Subject::node ? 0 : problem.subject == Subject::list ? 1 : 2;
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
}

// There may be as many as there are nodes.
ProblemList missing_in(const ProblemList& these, const ProblemList& those) {
  const std::set<Problem> known(those.begin(), those.end());
  ProblemList missing;
  std::copy_if(these.begin(), these.end(), std::back_inserter(missing),
               [&](const Problem& problem) { return !known.contains(problem); });
  return missing;
}

void add_missing(ProblemList& problems, const ProblemList& more) {
  std::set<Problem> known(problems.begin(), problems.end());
  std::copy_if(more.begin(), more.end(), std::back_inserter(problems),
               [&](const Problem& problem) { return known.insert(problem).second; });
}

bool concerns_node(const ProblemList& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& problem) { return problem.subject == Subject::node; });
}

int exit_status(const ProblemList& problems) {
  if (problems.empty()) return 0;
  return concerns_node(problems) ? 1 : 3;
}

std::vector<std::string> sentences(const ProblemList& problems) {
  std::vector<std::string> texts;
  std::transform(problems.begin(), problems.end(), std::back_inserter(texts),
                 [](const Problem& problem) { return problem.text; });
  return texts;
}

void add_problems(ProblemList& problems, const char* kind, Subject subject,
                  const std::vector<std::string>& texts) {
  for (const std::string& text : texts) problems.push_back({kind, subject, text});
}

nlohmann::json print(const ProblemList& problems) {
  nlohmann::json list = nlohmann::json::array();
  for (const Problem& problem : problems) {
    list.push_back({{"kind", problem.kind},
                    {"severity", problem.subject == Subject::node ? "error" : "warning"},
                    {"subject", to_string(problem.subject)},
                    {"text", problem.text}});
    if (!problem.peer.empty()) list.back()["peer"] = problem.peer;
  }
  return list;
}

ProblemList parse_problem_list(const nlohmann::json& document) {
  ProblemList problems;
  for (const auto& each : document) {
    const auto word = each.at("subject").get<std::string>();
    const Subject subject = word == "node" ? Subject::node : word == "peer" ? Subject::peer : Subject::list;
    problems.push_back({each.at("kind").get<std::string>(), subject, each.at("text").get<std::string>(),
                        each.value("peer", std::string())});
  }
  return problems;
}

}  // namespace onlink::node
