// SPDX-License-Identifier: Apache-2.0
#include "plugin/leases.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/json_reader.h"

namespace onlink::plugin {
namespace {

// The gateway that an IPAM plugin's own configuration gives with an address ("static": ipam.addresses).
std::optional<std::string> configured_gateway(const JsonReader& root, const IpAddress& address) {
  for (const JsonReader& entry : root.child("ipam").children("addresses")) {
    const auto prefix = IpPrefix::parse(entry.text("address").value_or(""));
    if (prefix && prefix->address == address) return entry.text("gateway");
  }
  return std::nullopt;
}

// ADD's result names the gateway that the pod really has. "static" compares it with the one that it has given
// and finds an address that is not as it was: so it gets its own back, in a configuration that is otherwise
// as it came.
cni::Request with_given_gateways(const cni::Request& request, const NetConf& config) {
  if (!request.prev_result) return request;
  Problems ignored;  // the section is the IPAM plugin's to judge
  const JsonReader root(request.config, ignored);
  cni::Request given = request;
  const auto& ips = request.prev_result->ips;
  for (std::size_t i = 0; i < ips.size(); ++i) {
    if (ips[i].gateway != config.gateway(ips[i].address.family())) continue;
    if (const auto gateway = configured_gateway(root, ips[i].address.address))
      given.config["prevResult"]["ips"][i]["gateway"] = *gateway;
  }
  if (given.config != request.config) given.input = dump_json(given.config);
  return given;
}

}  // namespace

cni::Result lease(const cni::Request& request, const NetConf& config,
                  const std::function<bool()>& interface_is_gone, const ipam::Notes& notes) {
  if (!config.ipam) return delegate_add(request, config.ipam_type);
  ipam::Config ipam = *config.ipam;
  ipam.interface_is_gone = interface_is_gone;
  return ipam::reserve(ipam, request, notes);
}

void release(const cni::Request& request, const NetConf& config, const ipam::Notes& notes) {
  if (config.ipam)
    ipam::release(*config.ipam, request, notes);
  else
    delegate(request, config.ipam_type, cni::Command::del);
}

void check_lease(const cni::Request& request, const NetConf& config) {
  if (config.ipam)
    ipam::check(*config.ipam, request);
  else
    delegate(with_given_gateways(request, config), config.ipam_type, cni::Command::check);
}

void require_free_address(const cni::Request& request, const NetConf& config) {
  if (config.ipam)
    ipam::require_addresses(*config.ipam);
  else
    delegate(request, config.ipam_type, cni::Command::status);
}

void collect_leases(const cni::Request& request, const NetConf& config, const ipam::Notes& notes) {
  if (config.ipam)
    ipam::collect(*config.ipam, request, notes);
  else
    delegate(request, config.ipam_type, cni::Command::gc);
}

cni::Result preview_lease(const NetConf& config) {
  if (config.ipam) return ipam::preview(*config.ipam);
  throw Failure(FailureKind::configuration,
                fmt::format("ipam.type {}: cannot be asked for an address without reserving it; --explain "
                            "works with onlink-ipam",
                            config.ipam_type));
}

}  // namespace onlink::plugin
