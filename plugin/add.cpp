// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "base/rollback.h"
#include "netlink/link.h"
#include "plugin/apply.h"
#include "plugin/explain.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/masquerade.h"
#include "plugin/mtu.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

std::string addresses_of(const cni::Result& lease) {
  std::vector<std::string> texts;
  for (const auto& ip : lease.ips) texts.push_back(ip.address.address.to_string());
  return fmt::format("{}", fmt::join(texts, " "));
}

cni::Result attach(const cni::Request& request, const NetConf& config, Log& log) {
  Host host = open_host();
  Sandbox sandbox = open_sandbox(request.netns, host);
  const auto notes = [&](const std::string& note) { log.info(note); };
  // Undone in reverse: the interface first, then its address, so that nobody gets an address that is still
  // routed.
  Rollback undo([&](const std::string& message) { log.error(message); });

  const auto interface_is_gone = [&] {
    return !netlink::find_link(sandbox.socket, request.attachment.ifname);
  };
  const cni::Result leased = lease(request, config, interface_is_gone, notes);
  undo.add("release " + addresses_of(leased), [&] { release(request, config, notes); });
  log.step("lease " + addresses_of(leased));

  const AttachmentPlan plan = plan_attachment(request, config, leased, choose_mtu(config, host.socket));
  log.debug([&] { return explain(plan); });
  ensure_masquerade(request, config, leased);
  apply(plan, host, sandbox, {.replace_leftovers = config.ipam.has_value()}, undo);
  log.step("attach " + plan.host.name);
  undo.commit();
  return describe(plan, request, config, leased);
}

}  // namespace

cni::Result add(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  return log.failures([&] { return attach(request, config, log); });
}

std::string explain_add(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Host host = open_host();
  return explain(plan_attachment(request, config, preview_lease(config), choose_mtu(config, host.socket)));
}

}  // namespace onlink::plugin
