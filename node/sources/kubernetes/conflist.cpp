// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/conflist.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/json_reader.h"

namespace onlink::node {
namespace {

// Keeps the template's order of keys: people read these files.
using Document = nlohmann::ordered_json;

std::string path_file(const Directories& directories) { return directories.state + "/conflist"; }

bool fill_ranges(Document& plugin, const Document& ranges) {
  if (!plugin.is_object() || !plugin.contains("ipam") || !plugin["ipam"].is_object()) return false;
  Document& ipam = plugin["ipam"];
  if (!ipam.contains("ranges") || !ipam["ranges"].is_array() || !ipam["ranges"].empty()) return false;
  ipam["ranges"] = ranges;
  return true;
}

}  // namespace

std::string render_conflist(std::string_view text, std::string_view name,
                            const std::vector<IpPrefix>& pod_cidrs) {
  (void)parse_json(text, name);  // reports errors, and limits size and depth
  Document document = Document::parse(text);
  Document ranges = Document::array();
  for (const IpPrefix& cidr : pod_cidrs) {
    Document range = Document::object();
    range["subnet"] = cidr.to_string();
    Document set = Document::array();
    set.push_back(std::move(range));
    ranges.push_back(std::move(set));
  }
  bool filled = false;
  if (document.is_object() && document.contains("plugins") && document["plugins"].is_array())
    for (Document& plugin : document["plugins"]) filled = fill_ranges(plugin, ranges) || filled;
  if (!filled)
    throw Failure(
        FailureKind::configuration,
        fmt::format("{}: none of its plugins has an ipam with empty \"ranges\" to be filled in", name));
  return document.dump(2, ' ', false, Document::error_handler_t::replace) + "\n";
}

bool publish_conflist(const Directories& directories, const std::string& path, const std::string& text) {
  if (read_file(AT_FDCWD, path) == text) return false;
  // The path is saved before the file is there, so that it can always be removed.
  if (read_file(AT_FDCWD, path_file(directories)) != path) {
    make_directories(directories.state);
    replace_file(AT_FDCWD, path_file(directories), path);
  }
  replace_file(AT_FDCWD, path, text);
  return true;
}

std::string remove_conflist(const Directories& directories) {
  const auto path = read_file(AT_FDCWD, path_file(directories));
  if (!path) return "";
  remove_file(*path);
  remove_file(path_file(directories));
  return *path;
}

}  // namespace onlink::node
