// SPDX-License-Identifier: Apache-2.0
#include "node/open_source.h"

#include <fmt/format.h>

#include "base/failure.h"
#include "base/json_reader.h"
#include "node/file_source.h"
#include "node/routes_source.h"

namespace onlink::node {
namespace {

std::unique_ptr<Source> open_file_source(const ClusterFile& file, const SourceContext& context) {
  Problems problems;
  JsonReader(file.source.settings, problems, "source").allow_only({"type"});
  problems.throw_if_any(context.path);
  NodeList list;
  list.nodes = file.nodes;
  list.complete = list.nodes.size() > 1 || context.allow_empty;  // more than this node
  list.checked = true;
  list.reading = context.reading;
  return std::make_unique<FileSource>(context.path, std::move(list));
}

}  // namespace

std::unique_ptr<Source> open_source(const ClusterFile& file, const SourceContext& context) {
  const std::string& type = file.source.type;
  if (type == "file") return open_file_source(file, context);
  if (type == "routes") return std::make_unique<RoutesSource>(file, context);
  throw Failure(
      FailureKind::configuration,
      fmt::format("{}: source.type: must be \"file\" or \"routes\", not \"{}\"", context.path, type));
}

}  // namespace onlink::node
