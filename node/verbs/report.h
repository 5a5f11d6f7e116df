// SPDX-License-Identifier: Apache-2.0
// One archive with all that a question about this node needs. It changes nothing on the host, makes no file but the archive, and leaves
// out what it cannot get, and says so in its place.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "node/directories.h"

namespace onlink::node {

struct ReportInput {
  std::string node;
  std::string version;
  std::string config;  // the cluster file
  Directories directories;
  std::string cni_conf_dir;  // where the runtime's network configurations are
  std::string data_dir;      // where leases are
  // What the verbs of these names print with --json. They may throw.
  std::function<nlohmann::json()> status, plan, check;
};

// output: a file, "-" for standard output, or empty: onlink-report-NODE-TIME.tar.gz in the current folder. The file is for its owner
// only, and is there whole or not at all. Returns what there is to tell a person. Throws Failure where it cannot be written.
std::string write_report(const ReportInput& input, const std::string& output);

}  // namespace onlink::node
