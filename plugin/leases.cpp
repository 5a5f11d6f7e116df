// SPDX-License-Identifier: Apache-2.0
#include "plugin/leases.h"

#include <fmt/format.h>

namespace onlink::plugin {

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
    delegate(request, config.ipam_type, cni::Command::check);
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
