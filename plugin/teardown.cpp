// SPDX-License-Identifier: Apache-2.0
#include "plugin/teardown.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "netlink/link.h"
#include "plugin/attachment_lock.h"
#include "plugin/plan.h"

namespace onlink::plugin {
namespace {

bool needs(const netlink::Link& link, const nft::Ruleset& ruleset, const HostEnds& ends) {
  return ruleset.check_sources ? link.name.starts_with(ruleset.pod_interfaces)
                               : ends.owner_of(link).has_value();
}

// By interfaces other than the one with index `except`. One look at them, which ends when each has been found.
AllNeeded needed_by_interfaces(const HostEnds& ends, std::uint32_t except = 0) {
  return [&ends, except](std::vector<const nft::Ruleset*> rulesets) {
    return netlink::any_link("veth", [&](const netlink::Link& link) {
      if (link.index != except)
        std::erase_if(rulesets, [&](const nft::Ruleset* ruleset) { return needs(link, *ruleset, ends); });
      return rulesets.empty();
    });
  };
}

}  // namespace

void remove_rules(const Rules& rules, netlink::Socket& host, const HostEnds& ends, Log& log) {
  try {
    const AllNeeded all_needed = needed_by_interfaces(ends);
    if (may_have_unused(rules, all_needed)) (void)remove_unused_rules(rules, host, all_needed);
  } catch (const Failure& failure) {
    log.error(fmt::format("{}, ignoring: unused nftables rules may remain", failure.what()));
  }
}

std::vector<netlink::Socket> take_down_with_rules(Scene& scene, const netlink::Link& link) {
  try {
    const AllNeeded needed_by_others = needed_by_interfaces(scene.ends, link.index);
    if (!may_have_unused(scene.rules, needed_by_others)) return {};
    scene.host.socket.execute(netlink::set_link_down(link.index, link.name));
    return remove_unused_rules(scene.rules, scene.host.socket, needed_by_others,
                               std::chrono::milliseconds(0));
  } catch (const Failure&) {
    return {};  // tried again, and reported, when the interface is gone
  }
}

void tear_down(cni::Request request, const Teardown& teardown) {
  const Parsed parsed = read_config(request);
  Log log(parsed.config, request);
  log.failures([&] {
    AttachmentLock lock;
    if (request.command == cni::Command::del) lock = lock_attachment(request, parsed.config, log);
    Host host = open_host();
    HostEnds ends(host, request, parsed.config);
    const ipam::Notes notes = [&](const std::string& note) { log.info(note); };
    Scene scene{request, parsed.config, host, ends, plan_rules(request, parsed.config, {}), notes};
    Steps steps(log);
    const bool are_gone = steps.run(teardown.interfaces, [&] { teardown.remove_interfaces(scene, steps); });
    remove_rules(scene.rules, host.socket, ends, log);
    if (are_gone)
      steps.run(teardown.addresses, [&] {
        parsed.ipam_problems.throw_if_any("release addresses");
        tell_ipam(request, parsed.config, ends, notes);
      });
    steps.finish();
  });
}

}  // namespace onlink::plugin
