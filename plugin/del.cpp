// SPDX-License-Identifier: Apache-2.0
// DEL.
#include "netlink/link.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

void remove_interface(const cni::Request& request, Host& host, HostEnds& ends, Steps&) {
  if (const auto link = ends.find(request.attachment)) netlink::delete_link_if_any(host.socket, *link);
}

}  // namespace

void del(const cni::Request& request) {
  tear_down(request, {"delete interface", remove_interface, "release", release});
}

}  // namespace onlink::plugin
