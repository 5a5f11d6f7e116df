// SPDX-License-Identifier: Apache-2.0
#include "plugin/teardown.h"

#include <fmt/format.h>

#include "netlink/link.h"
#include "plugin/plan.h"

namespace onlink::plugin {

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

}  // namespace onlink::plugin
