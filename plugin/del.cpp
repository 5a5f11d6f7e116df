// SPDX-License-Identifier: Apache-2.0
// DEL.
#include "netlink/link.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

void remove_interface(Scene& scene, Steps&) {
  const auto link = scene.ends.find(scene.request.attachment);
  if (!link) return;
  const auto kept_open = take_down_with_rules(scene, *link);
  netlink::delete_link_if_any(scene.host.socket, *link);
}

}  // namespace

void del(const cni::Request& request) {
  tear_down(request, {"delete interface", remove_interface, "release"});
}

}  // namespace onlink::plugin
