// SPDX-License-Identifier: Apache-2.0
// GC. What the runtime lists as valid stays.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "netlink/link.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

bool is_valid(const cni::Request& request, const cni::Attachment& attachment) {
  return std::binary_search(request.valid_attachments.begin(), request.valid_attachments.end(), attachment);
}

// An unfinished pair: its ADD was killed, or is about to go on. Its name says whose it is.
bool is_stale(const netlink::Link& link, const cni::Request& request, const HostEnds& ends) {
  if (const auto attachment = ends.owner_of(link)) return !is_valid(request, *attachment);
  const auto& valid = request.valid_attachments;
  return std::none_of(valid.begin(), valid.end(),
                      [&](const cni::Attachment& attachment) { return ends.is_of(link, attachment); });
}

void remove_stale_interfaces(Scene& scene, Steps& steps) {
  for (const auto& link : scene.ends.list())
    if (is_stale(link, scene.request, scene.ends))
      steps.run(
          fmt::format("delete {} ({})", link.name, link.alias.empty() ? "an unfinished pair" : link.alias),
          [&] { netlink::delete_link_if_any(scene.host.socket, link); });
}

}  // namespace

void gc(const cni::Request& request) {
  tear_down(request,
            {"delete stale interfaces", remove_stale_interfaces, "release stale addresses", collect_leases});
}

}  // namespace onlink::plugin
