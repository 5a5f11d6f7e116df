// SPDX-License-Identifier: Apache-2.0
#include "plugin/teardown.h"

#include <fmt/format.h>

#include "netlink/link.h"
#include "plugin/plan.h"

namespace onlink::plugin {
namespace {

void remove_rules(const cni::Request& request, const NetConf& config, const HostEnds& ends, Log& log) {
  try {
    remove_unused_rules(plan_rules(request, config, {}), [&](const nft::Ruleset& ruleset) {
      return netlink::any_link("veth", [&](const netlink::Link& link) {
        return ruleset.check_sources ? link.name.starts_with(ruleset.pod_interfaces)
                                     : ends.owner_of(link).has_value();
      });
    });
  } catch (const Failure& failure) {
    log.error(fmt::format("{}, ignoring: nftables rules may stay that nobody needs", failure.what()));
  }
}

}  // namespace

void tear_down(const cni::Request& request, const Teardown& teardown) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, parsed.config);
    Steps steps(log);
    steps.run(teardown.interfaces, [&] { teardown.remove_interfaces(request, host, ends, steps); });
    remove_rules(request, parsed.config, ends, log);
    steps.run(teardown.addresses, [&] {
      parsed.ipam_problems.throw_if_any("release addresses");
      teardown.release(request, parsed.config, ends, [&](const std::string& note) { log.info(note); });
    });
    steps.finish();
  });
}

}  // namespace onlink::plugin
