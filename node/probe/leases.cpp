// SPDX-License-Identifier: Apache-2.0
#include "node/probe/leases.h"

#include <utility>
#include <vector>

#include "base/failure.h"
#include "ipam/survey.h"

namespace onlink::node {
namespace {

std::vector<std::string> networks_of(const std::string& data_dir) try {
  return ipam::list_networks(data_dir);
} catch (const Failure&) {
  return {};
}

std::optional<Lease> read_lease(const ipam::Folder& folder, const std::string& network,
                                const IpAddress& address) try {
  auto reservation = folder.read(address);
  if (!reservation || !reservation->is_whole()) return std::nullopt;
  return Lease{network, folder.path() + "/" + address.to_string(), std::move(*reservation)};
} catch (const Failure&) {
  return std::nullopt;
}

}  // namespace

std::optional<Lease> find_lease(const std::string& data_dir, const std::string& network,
                                const IpAddress& address) {
  for (const std::string& each : network.empty() ? networks_of(data_dir) : std::vector{network}) {
    const auto folder = ipam::Folder::peek(data_dir, each);
    auto lease = folder ? read_lease(*folder, each, address) : std::nullopt;
    if (lease) return lease;
  }
  return std::nullopt;
}

std::optional<Lease> find_lease(const std::string& data_dir,
                                const std::function<bool(const ipam::Reservation&)>& is_it) {
  for (const std::string& network : networks_of(data_dir)) {
    const auto folder = ipam::Folder::peek(data_dir, network);
    if (!folder) continue;
    for (const std::string& name : folder->names()) {
      const auto address = ipam::Folder::address_of(name);
      auto lease = address ? read_lease(*folder, network, *address) : std::nullopt;
      if (lease && is_it(lease->reservation)) return lease;
    }
  }
  return std::nullopt;
}

}  // namespace onlink::node
