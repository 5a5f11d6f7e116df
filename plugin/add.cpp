// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "base/rollback.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "plugin/apply.h"
#include "plugin/attachment_lock.h"
#include "plugin/explain.h"
#include "plugin/host_ends.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/mtu.h"
#include "plugin/teardown.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

std::string addresses_of(const cni::Result& lease) {
  std::vector<std::string> texts;
  for (const auto& ip : lease.ips) texts.push_back(ip.address.address.to_string());
  return fmt::format("{}", fmt::join(texts, " "));
}

// Looks before anything is leased or created: an existing attachment, here or in another namespace, stays as
// it is. The end of one whose sandbox has died is removed.
void require_unattached(const cni::Request& request, HostEnds& ends, Sandbox& sandbox) {
  const std::string& ifname = request.attachment.ifname;
  if (netlink::find_link(sandbox.socket, ifname))
    throw Failure(fmt::format("interface {} exists already in {}", ifname, request.netns), EEXIST);
  const auto end = ends.find_by_name(request.attachment);
  if (end && !ends.is_of(*end, request.attachment)) throw taken_by(*end);
  if (end && !ends.remove_if_dead(*end))
    throw Failure(fmt::format("{} is attached already: its host interface {} exists, and its namespace lives",
                              request.attachment.container_id, end->name),
                  EEXIST);
}

cni::Result attach(const cni::Request& request, const NetConf& config, Host& host, Log& log) {
  check_request(request, config);
  Sandbox sandbox = open_sandbox(request.netns, host);
  HostEnds ends(host, request, config);
  require_unattached(request, ends, sandbox);
  const auto notes = [&](const std::string& note) { log.info(note); };
  const ipam::Lease leased = lease(request, config, ends, notes);
  // Undone in reverse: the interface first, then its address, so that nobody gets an address that is still
  // routed.
  Rollback undo([&](const std::string& message) { log.error(message); });
  undo.add("release " + addresses_of(leased.result),
           [&] { give_back(request, config, leased, ends, notes); });
  log.step("lease " + addresses_of(leased.result));

  const AttachmentPlan plan =
      plan_attachment(request, config, leased.result, choose_mtu(config, host.socket));
  log.debug([&] { return explain(plan); });
  undo.add("remove nftables rules that nobody needs",
           [&, rules = plan.rules] { remove_rules(rules, host.socket, ends, log); });
  apply(plan, host, sandbox, undo, notes);
  log.step("attach " + plan.host.name);
  undo.commit();
  return describe(plan, request, config, leased.result);
}

// The folder called an address free that a living attachment of the network has: someone has removed its
// reservation. Restores all missing reservations, and the ADD goes on with another address.
cni::Result attach_beside_lost_leases(const cni::Request& request, const NetConf& config, Log& log) {
  Host host = open_host();
  try {
    return attach(request, config, host, log);
  } catch (const RouteHeld& held) {
    if (!held.by_same_network() || !config.ipam) throw;
    log.error(held.what());
  }
  HostEnds ends(host, request, config);
  restore_leases(config, ends, [&](const std::string& note) { log.info(note); });
  return attach(request, config, host, log);
}

}  // namespace

cni::Result add(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  for (const std::string& remark : config.remarks) log.info(remark);
  return log.failures([&] {
    const AttachmentLock lock = lock_attachment(request, config, log);
    return attach_beside_lost_leases(request, config, log);
  });
}

std::string explain_add(const cni::Request& request) {
  const NetConf config = parse_config(request);
  check_request(request, config);
  auto socket = netlink::Socket::open();  // looking needs no privilege, and the host's namespace would
  return explain(plan_attachment(request, config, preview_lease(config), choose_mtu(config, socket)));
}

}  // namespace onlink::plugin
