// SPDX-License-Identifier: Apache-2.0
// DEL.
#include <string>

#include "netlink/link.h"
#include "plugin/apply.h"
#include "plugin/leases.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

void remove_interface(const cni::Request& request, Host& host, HostEnds& ends) {
  if (const auto link = ends.find(request.attachment)) netlink::delete_link_if_any(host.socket, *link);
}

}  // namespace

void del(const cni::Request& request) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, parsed.config);
    Steps steps(log);
    steps.run("delete interface", [&] { remove_interface(request, host, ends); });
    remove_rules(request, parsed.config, ends, log);
    steps.run("release", [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      release(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
