// SPDX-License-Identifier: Apache-2.0
#include "node/metrics/networks.h"

#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"
#include "cni/configuration_files.h"
#include "cni/names.h"
#include "cni/request.h"

namespace onlink::node {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

void add_plugin(const json& plugin, const std::string& name, std::vector<Network>& networks) {
  const json ipam = plugin.is_object() ? plugin.value("ipam", json::object()) : json();
  const std::string manager = text_of(ipam, "type");
  if (manager != "onlink-ipam" && manager != "host-local") return;
  // As in a call that is for no attachment.
  cni::Request request;
  request.command = cni::Command::status;
  request.network = name;
  request.config = plugin;
  Problems problems;
  Network network{ipam::parse_config(request, problems), text_of(plugin.value("log", json()), "file")};
  const bool known = std::any_of(networks.begin(), networks.end(), [&](const Network& other) {
    return other.pool.network == name && other.pool.data_dir == network.pool.data_dir;
  });
  if (problems.empty() && !known) networks.push_back(std::move(network));
}

void add_file(const std::string& path, std::vector<Network>& networks) try {
  const json document = parse_json(read_file(AT_FDCWD, path).value_or(""), path);
  const std::string name = text_of(document, "name");
  if (cni::problem_of_name(name)) return;
  const auto plugins = document.find("plugins");
  if (plugins == document.end()) return add_plugin(document, name, networks);
  for (const json& plugin : *plugins) add_plugin(plugin, name, networks);
} catch (const std::exception&) {
  // Some other file: not for us.
}

}  // namespace

std::vector<Network> read_networks(const std::string& folder) {
  std::vector<Network> networks;
  try {
    for (const std::string& path : cni::configuration_files(folder)) add_file(path, networks);
  } catch (const Failure&) {
    return networks;  // no folder: no networks
  }
  return networks;
}

}  // namespace onlink::node
