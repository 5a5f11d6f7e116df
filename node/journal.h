// SPDX-License-Identifier: Apache-2.0
// What `run` did and found, and why: one JSON object a line, in <run>/events.jsonl; when that has 1 MiB it replaces
// events.jsonl.1. Both end with the boot, like the things that they tell of.
//
//   {"time": "2026-11-22T10:28:35Z", "event": "change", "commands": [...], "causes": [{"what", "port", "process"}]}
//
// Events: start, list, change, problem, solved, pods, end.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "node/directories.h"

namespace onlink::node {

class Journal {
 public:
  explicit Journal(const Directories& directories);

  // fields: an object. An event that cannot be written is lost: nothing depends on it.
  void write(const char* event, nlohmann::json fields = nlohmann::json::object()) const;

 private:
  std::string path_;
};

// The files of a node's journal, the older one first.
std::vector<std::string> journal_files(const Directories& directories);
// Throws Failure.
void forget_journal(const Directories& directories);

}  // namespace onlink::node
