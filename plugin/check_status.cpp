// SPDX-License-Identifier: Apache-2.0
// CHECK and STATUS: the two that only look.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include <algorithm>

#include "netlink/sysctl.h"
#include "plugin/check.h"
#include "plugin/host_ends.h"
#include "plugin/leases.h"
#include "plugin/log.h"
#include "plugin/masquerade.h"
#include "plugin/verbs.h"

namespace onlink::plugin {
namespace {

// The kernel refuses to say how things are: that is not a finding about the attachment.
std::vector<std::string> read_differences(const cni::Request& request, const NetConf& config) {
  try {
    Host host = open_host();
    Sandbox sandbox = open_sandbox(request.netns, host);
    auto found = differences(expected_plan(request, config), host, sandbox);
    for (auto& missing : missing_interfaces(request, host, sandbox)) found.push_back(std::move(missing));
    if (config.ip_masq && !has_masquerade(request))
      found.emplace_back("host: the nftables table for ipMasq is missing");
    return found;
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::internal) throw;
    throw Failure(FailureKind::try_again, failure.what(), failure.error());
  }
}

void check_attachment(const cni::Request& request, const NetConf& config) {
  const auto found = read_differences(request, config);
  if (!found.empty())
    throw Failure(FailureKind::not_as_attached, fmt::format("not as attached: {}", fmt::join(found, "; ")));
  Host host = open_host();
  HostEnds ends(host.socket, request, config);
  check_lease(request, config, ends);
}

void require_forwarding(const NetConf& config) {
  if (config.ip_forward) return;
  if (netlink::read_sysctl("net/ipv4/ip_forward") != "1")
    throw Failure(FailureKind::unavailable,
                  "net/ipv4/ip_forward is off and \"ipForward\": false forbids to turn it on");
}

// No reason to refuse every ADD, but somebody has to know.
void tell_overlaps(const NetConf& config, const cni::Request& request, HostEnds& ends, Log& log) {
  if (!config.ipam) return;
  for (const HostEnds::Attached& attached : ends.attached()) {
    const auto& [network, attachment] = attached.owner;
    const bool is_ours =
        std::any_of(config.ipam->range_sets.begin(), config.ipam->range_sets.end(),
                    [&](const ipam::RangeSet& set) { return set.find(attached.address) != nullptr; });
    if (!is_ours || network == request.network) continue;
    return log.error(
        fmt::format("the ranges of network {} overlap with those of {}, where container {} has {}",
                    request.network, network, attachment.container_id, attached.address.to_string()));
  }
}

}  // namespace

void check(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  log.failures([&] { check_attachment(request, config); });
}

void status(const cni::Request& request) {
  const NetConf config = parse_config(request);
  Log log(config, request);
  log.failures([&] {
    Host host = open_host();
    HostEnds ends(host.socket, request, config);
    require_forwarding(config);
    tell_overlaps(config, request, ends, log);
    require_free_address(request, config, ends);
  });
}

}  // namespace onlink::plugin
