// SPDX-License-Identifier: Apache-2.0
// GC. What the runtime lists as valid stays, and what was attached after it made its list.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "netlink/link.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

using Attachments = std::vector<cni::Attachment>;

// An unfinished pair: its ADD was killed, or is about to go on. Its name says whose it is.
bool is_of_any(const Attachments& attachments, const netlink::Link& link, const HostEnds& ends) {
  if (const auto owner = ends.owner_of(link))
    return std::binary_search(attachments.begin(), attachments.end(), *owner);
  return std::any_of(attachments.begin(), attachments.end(),
                     [&](const cni::Attachment& attachment) { return ends.is_of(link, attachment); });
}

// An ADD leases before it makes its pair: so the pairs are listed first, then asked for in the leases.
std::vector<netlink::Link> stale_interfaces(Scene& scene) {
  auto links = scene.ends.list();
  const auto spare = [&](const Attachments& valid) {
    std::erase_if(links, [&](const netlink::Link& link) { return is_of_any(valid, link, scene.ends); });
  };
  spare(scene.request.valid_attachments);
  if (!links.empty()) spare(leased_since(scene.request, scene.config, scene.ends, scene.notes));
  return links;
}

void remove_stale_interfaces(Scene& scene, Steps& steps) {
  for (const auto& link : stale_interfaces(scene))
    steps.run(
        fmt::format("delete {} ({})", link.name, link.alias.empty() ? "an unfinished pair" : link.alias),
        [&] { netlink::delete_link_if_any(scene.host.socket, link); });
}

}  // namespace

void gc(const cni::Request& request) {
  tear_down(request, {"delete stale interfaces", remove_stale_interfaces, "release stale addresses"});
}

}  // namespace onlink::plugin
