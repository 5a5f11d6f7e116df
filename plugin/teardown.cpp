// SPDX-License-Identifier: Apache-2.0
#include "plugin/teardown.h"

#include <fmt/format.h>

#include <cerrno>

#include "netlink/link.h"
#include "plugin/plan.h"

namespace onlink::plugin {
namespace {

Rules rules_of(const Scene& scene) { return plan_rules(scene.request, scene.config, {}); }

// Whether an interface needs the rules, other than that of an index.
HasInterface has_interface(const Scene& scene, std::uint32_t except = 0) {
  return [&scene, except](const nft::Ruleset& ruleset) {
    return netlink::any_link("veth", [&](const netlink::Link& link) {
      if (link.index == except) return false;
      return ruleset.check_sources ? link.name.starts_with(ruleset.pod_interfaces)
                                   : scene.ends.owner_of(link).has_value();
    });
  };
}

// What is left over of rules does no harm.
void try_with_rules(Log& log, const std::function<void()>& step) {
  try {
    step();
  } catch (const Failure& failure) {
    if (failure.error() == ENODEV) return;  // the interface went by itself, with its namespace
    log.error(fmt::format("{}, ignoring: nftables rules may stay that nobody needs", failure.what()));
  }
}

}  // namespace

std::vector<netlink::Socket> take_down_with_rules(Scene& scene, const netlink::Link& link) {
  std::vector<netlink::Socket> sockets;
  try_with_rules(scene.log, [&] {
    const auto others = has_interface(scene, link.index);
    if (!may_have_unused(rules_of(scene), others)) return;
    scene.host.socket.execute(netlink::set_link_down(link.index, link.name));
    sockets = remove_unused_rules(rules_of(scene), others);
  });
  return sockets;
}

void tear_down(const cni::Request& request, const Teardown& teardown) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, parsed.config);
    Scene scene{request, parsed.config, host, ends, log};
    Steps steps(log);
    steps.run(teardown.interfaces, [&] { teardown.remove_interfaces(scene, steps); });
    try_with_rules(log, [&] {
      if (may_have_unused(rules_of(scene), has_interface(scene)))
        (void)remove_unused_rules(rules_of(scene), has_interface(scene));
    });
    steps.run(teardown.addresses, [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      teardown.release(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
