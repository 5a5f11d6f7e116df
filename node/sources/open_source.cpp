// SPDX-License-Identifier: Apache-2.0
#include "node/sources/open_source.h"

#include <fmt/format.h>

#include <utility>

#include "base/failure.h"
#include "base/json_reader.h"
#include "node/sources/file_source.h"
#include "node/sources/kubernetes/source.h"
#include "node/sources/routes_source.h"

namespace onlink::node {
namespace {

std::unique_ptr<Source> open_file_source(ClusterFile& file, const SourceContext& context) {
  Problems problems;
  JsonReader(file.source.settings, problems, "source").allow_only({"type"});
  problems.throw_if_any(context.path);
  NodeList list;
  list.nodes = std::exchange(file.nodes, {});
  list.complete = list.nodes.size() > 1 || context.allow_empty;  // more than this node
  list.checked = true;
  list.reading = context.reading;
  return std::make_unique<FileSource>(context.path, std::move(list));
}

KubernetesConfig kubernetes_config(const ClusterFile& file, const SourceContext& context) {
  Problems problems;
  KubernetesConfig config = read_kubernetes_config(JsonReader(file.source.settings, problems, "source"));
  if (!file.nodes.empty()) problems.add("nodes", "come from the API with the source kubernetes");
  problems.throw_if_any(context.path);
  return config;
}

}  // namespace

std::unique_ptr<Source> open_source(ClusterFile& file, const SourceContext& context) {
  const std::string& type = file.source.type;
  if (type == "file") return open_file_source(file, context);
  if (type == "kubernetes")
    return std::make_unique<KubernetesSource>(kubernetes_config(file, context), context.node_name,
                                              context.directories);
  if (type == "routes") return std::make_unique<RoutesSource>(file, context);
  throw Failure(FailureKind::configuration,
                fmt::format("{}: source.type: must be \"file\", \"kubernetes\" or \"routes\", not \"{}\"",
                            context.path, type));
}

std::string withdraw_from_source(const ClusterFile& file, const SourceContext& context) {
  if (file.source.type != "kubernetes") return "";
  return withdraw_condition(kubernetes_config(file, context), context.node_name);
}

}  // namespace onlink::node
