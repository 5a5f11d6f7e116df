// SPDX-License-Identifier: Apache-2.0
#include "plugin/leases.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/json_reader.h"

namespace onlink::plugin {
namespace {

// The gateway that an IPAM plugin is given with an address: "static" finds it in ipam.addresses, or in
// CNI_ARGS.
std::optional<std::string> configured_gateway(const cni::Request& request, const JsonReader& root,
                                              const IpAddress& address) {
  for (const JsonReader& entry : root.child("ipam").children("addresses")) {
    const auto prefix = IpPrefix::parse(entry.text("address").value_or(""));
    if (prefix && prefix->address == address) return entry.text("gateway");
  }
  const auto argument = request.args.find("GATEWAY");
  const auto gateway = argument != request.args.end() ? IpAddress::parse(argument->second) : std::nullopt;
  if (gateway && gateway->family() == address.family()) return argument->second;
  return std::nullopt;
}

// ADD's result names the gateway that the pod really has. "static" compares it with the one it gave, and
// would call the address changed: so it gets its own back, in an otherwise unchanged configuration.
cni::Request with_given_gateways(const cni::Request& request, const NetConf& config) {
  if (!request.prev_result) return request;
  Problems ignored;  // the section is the IPAM plugin's to judge
  const JsonReader root(request.config, ignored);
  cni::Request given = request;
  const auto& ips = request.prev_result->ips;
  for (std::size_t i = 0; i < ips.size(); ++i) {
    if (ips[i].gateway != config.gateway(ips[i].address.family())) continue;
    if (const auto gateway = configured_gateway(request, root, ips[i].address.address))
      given.config["prevResult"]["ips"][i]["gateway"] = *gateway;
  }
  if (given.config != request.config) given.input = dump_json(given.config);
  return given;
}

// Our own IPAM asks the kernel who is attached.
ipam::Config with(HostEnds& ends, ipam::Config config) {
  config.host_ends = &ends;
  return config;
}

}  // namespace

ipam::Lease lease(const cni::Request& request, const NetConf& config, HostEnds& ends,
                  const ipam::Notes& notes) {
  if (config.ipam) return ipam::reserve(with(ends, *config.ipam), request, notes);
  // Another plugin that has failed is told to give back what the attachment holds.
  const auto withdraw = [&] { give_back(request, config, {}, ends, notes); };
  return {delegate_add(request, config.ipam_type, withdraw), {}};
}

void give_back(const cni::Request& request, const NetConf& config, const ipam::Lease& lease, HostEnds& ends,
               const ipam::Notes& notes) {
  if (const auto link = ends.find(request.attachment))
    notes(fmt::format("{} exists, so its addresses are not given back", link->name));
  else if (config.ipam)
    ipam::give_back(with(ends, *config.ipam), request, lease, notes);
  else
    delegate(request, config.ipam_type, cni::Command::del);
}

void restore_leases(const NetConf& config, HostEnds& ends, const ipam::Notes& notes) {
  ipam::restore(with(ends, config.ipam.value()), notes);
}

void tell_ipam(const cni::Request& request, const NetConf& config, HostEnds& ends, const ipam::Notes& notes) {
  using cni::Command;
  if (!config.ipam && request.command == Command::check)
    return delegate(with_given_gateways(request, config), config.ipam_type, request.command);
  if (!config.ipam) return delegate(request, config.ipam_type, request.command);
  const ipam::Config own = with(ends, *config.ipam);
  if (request.command == Command::del) ipam::release(own, request, notes);
  if (request.command == Command::check) ipam::check(own, request);
  if (request.command == Command::status) ipam::require_ready(own, notes);
  if (request.command == Command::gc) ipam::collect(own, request, notes);
}

std::vector<cni::Attachment> find_unlistable(const cni::Request& request, const NetConf& config,
                                             HostEnds& ends, const ipam::Notes& notes) {
  if (!config.ipam) return {};
  return ipam::find_unlistable(with(ends, *config.ipam), request, notes);
}

cni::Result preview_lease(const NetConf& config) {
  if (config.ipam) return ipam::preview(*config.ipam);
  throw Failure(FailureKind::configuration,
                fmt::format("ipam.type {}: cannot be asked for an address without reserving it; --explain "
                            "works with onlink-ipam",
                            config.ipam_type));
}

}  // namespace onlink::plugin
