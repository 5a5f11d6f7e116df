// SPDX-License-Identifier: Apache-2.0
// GC. What the runtime lists as valid stays, and what was attached after it made its list.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "netlink/link.h"
#include "plugin/attachment_lock.h"
#include "plugin/identity.h"
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

void count_as_listed(Scene& scene, const Attachments& attachments) {
  Attachments& valid = scene.request.valid_attachments;
  valid.insert(valid.end(), attachments.begin(), attachments.end());
  std::sort(valid.begin(), valid.end());
}

// For good: an ADD that is running now may have ended when its address is looked at.
void list_unlistable(Scene& scene) {
  count_as_listed(scene, find_unlistable(scene.request, scene.config, scene.ends, scene.notes));
}

// What a running ADD has made: whatever IPAM plugin it uses, it ends as if there were no GC.
void spare_running(Scene& scene, std::vector<netlink::Link>& links) {
  const RunningCalls running(scene.config);
  Attachments spared;
  std::erase_if(links, [&](const netlink::Link& link) {
    const auto owner = scene.ends.owner_of(link);
    const auto byte = owner ? std::optional(byte_of(scene.request.network, *owner)) : byte_of(link.name);
    if (!byte || !running.include(*byte)) return false;
    if (owner) spared.push_back(*owner);
    return true;
  });
  count_as_listed(scene, spared);
}

// An ADD leases before it makes its pair: so those that run are asked for before the pairs are listed, and those that
// have begun since after that.
std::vector<netlink::Link> stale_interfaces(Scene& scene) {
  list_unlistable(scene);
  auto links = scene.ends.list();
  const auto spare_valid = [&] {
    std::erase_if(links, [&](const netlink::Link& link) {
      return is_of_any(scene.request.valid_attachments, link, scene.ends);
    });
  };
  spare_valid();
  if (links.empty()) return links;
  spare_running(scene, links);
  list_unlistable(scene);
  spare_valid();
  return links;
}

void remove_stale_interfaces(Scene& scene, Steps& steps) {
  Attachments left;
  for (const auto& link : stale_interfaces(scene)) {
    const bool is_gone = steps.run(
        fmt::format("delete {} ({})", link.name, link.alias.empty() ? "an unfinished pair" : link.alias),
        [&] { netlink::delete_link_if_any(scene.host.socket, link); });
    if (const auto owner = scene.ends.owner_of(link); owner && !is_gone) left.push_back(*owner);
  }
  count_as_listed(scene, left);
}

}  // namespace

void gc(const cni::Request& request) {
  tear_down(request, {"delete stale interfaces", remove_stale_interfaces, "release stale addresses"});
}

}  // namespace onlink::plugin
