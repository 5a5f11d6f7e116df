// SPDX-License-Identifier: Apache-2.0
// One archive with all that a question about this node needs. Changes nothing on the host and makes no file but the
// archive. Where something cannot be had, its part says so.
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
  // What these verbs print with --json. They may throw.
  std::function<nlohmann::json()> status, plan, check;
};

// output: a file, "-" for standard output, or empty: onlink-report-NODE-TIME.tar.gz in the current folder. The file is
// for its owner only, whole or not there. Returns a line for people. Throws Failure if it cannot be written.
std::string write_report(const ReportInput& input, const std::string& output);

}  // namespace onlink::node
