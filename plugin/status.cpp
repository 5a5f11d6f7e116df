// SPDX-License-Identifier: Apache-2.0
// STATUS: what would make every ADD fail. It makes the plan of an imagined attachment, so that it knows no less
// than ADD. A runtime that is told "not ready" reports the whole node so, and Kubernetes evicts its living pods
// after minutes: so a full pool counts as ready, as the next pod that ends cures it.
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "netlink/route.h"
#include "netlink/sysctl.h"
#include "plugin/apply.h"
#include "plugin/host_ends.h"
#include "plugin/identity.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/mtu.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

using Remarks = std::vector<std::string>;  // no reason to refuse an ADD, but worth knowing

// A lease as our own IPAM might give it.
cni::Result imagined_lease(const NetConf& config) {
  cni::Result lease;
  lease.routes = config.ipam->routes;
  for (const ipam::RangeSet& set : config.ipam->range_sets)
    lease.ips.push_back({{set.ranges.front().end, set.ranges.front().subnet.length}, {}, {}});
  return lease;
}

AttachmentPlan imagined_plan(const cni::Request& request, const NetConf& config, std::uint32_t mtu) {
  cni::Request imagined = request;
  imagined.attachment = {"none", "eth0"};
  return plan_attachment(imagined, config, imagined_lease(config), mtu);
}

Failure unavailable(const std::string& why) { return Failure(FailureKind::unavailable, why); }

void require_host_sysctls(const AttachmentPlan& plan, Remarks& remarks) {
  for (const auto& [name, value] : plan.host_sysctls) {
    if (netlink::read_sysctl(name) == value) continue;
    if (plan.sets_host_sysctls) {
      if (const auto problem = netlink::problem_of_writing(name)) throw unavailable(*problem);
      continue;
    }
    // No failure, as ADD has none: some networks only talk with their host.
    remarks.push_back(name + " is off, and \"ipForward\": false forbids turning it on");
  }
}

// The interface does not exist yet: it will have the settings of "default".
void require_link_sysctls(const AttachmentPlan& plan) {
  const std::string own = "/" + plan.host.name + "/";
  for (auto [name, value] : plan.host.sysctls) {
    name.replace(name.find(own), own.size(), "/default/");
    const auto actual = netlink::read_sysctl(name);
    if (!actual && !plan.has(IpFamily::v6)) continue;  // no IPv6 at all: nothing to be closed
    if (actual == value) continue;
    if (const auto problem = netlink::problem_of_writing(name)) throw unavailable(*problem);
  }
}

// Once the table is there, ADD does not look at the prefix any more.
void look_at_prefix(const Rules& rules, netlink::Socket& host, Remarks& remarks) {
  std::string problem = problem_of_prefix(rules, host);
  if (problem.empty()) return;
  if (!has_table(rules.sources)) throw Failure(FailureKind::configuration, problem);
  remarks.push_back(std::move(problem));
}

void require_rules(const Rules& rules, netlink::Socket& host, Remarks& remarks) {
  look_at_prefix(rules, host, remarks);
  if (const auto refusal = try_rules(rules.sources, host))
    remarks.push_back(fmt::format("{}: {}", refusal->what(), without_source_rules));
  if (!rules.masquerades) return;
  if (const auto refusal = try_rules(rules.masquerade, host))
    throw unavailable(fmt::format("ipMasq: {}", refusal->what()));
}

// A pod without its permanent neighbour (sandboxes that are virtual machines) asks for its gateway. The host
// answers only for addresses that it would route elsewhere (arp_process, proxy_arp).
void look_for_proxy_route(const NetConf& config, Host& host, Remarks& remarks) {
  if (!netlink::lookup_route(host.socket, config.gateway4))
    remarks.push_back(fmt::format(
        "this host has no route to {} (no default route), so it does not answer ARP requests for it; "
        "sandboxes without the permanent neighbour need the answer",
        config.gateway4.to_string()));
}

void find_overlaps(const NetConf& config, const cni::Request& request, HostEnds& ends, Remarks& remarks) {
  for (const HostEnds::Attached& attached : ends.attached()) {
    const auto& [network, attachment] = attached.owner;
    if (!ipam::any_contains(config.ipam->range_sets, attached.address) ||
        network == short_name(request.network))
      continue;
    return remarks.push_back(
        fmt::format("the ranges of network {} overlap with those of {}, where container {} has {}",
                    request.network, network, attachment.container_id, attached.address.to_string()));
  }
}

void require_ready(const cni::Request& request, const NetConf& config, Remarks& remarks) {
  Host host = open_host();
  HostEnds ends(host, request, config);
  const std::uint32_t mtu = choose_mtu(config, host.socket);
  if (config.ipam) {
    find_overlaps(config, request, ends, remarks);
    const AttachmentPlan plan = imagined_plan(request, config, mtu);
    require_host_sysctls(plan, remarks);
    require_link_sysctls(plan);
    if (plan.has(IpFamily::v4)) look_for_proxy_route(config, host, remarks);
    require_rules(plan.rules, host.socket, remarks);
  } else {
    require_rules(plan_rules(request, config, {}), host.socket,
                  remarks);  // what another IPAM would give is not known
  }
  // A full pool is no reason here either.
  tell_ipam(request, config, ends, [&](const std::string& note) { remarks.push_back(note); });
}

}  // namespace

void status(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  log.failures([&] {
    Remarks remarks = config.remarks;
    try {
      require_ready(request, config, remarks);
    } catch (Failure& failure) {
      for (const std::string& remark : remarks) failure.append_detail(remark);
      throw;
    }
    for (const std::string& remark : remarks) log.remark(remark);
  });
}

}  // namespace onlink::plugin
