// SPDX-License-Identifier: Apache-2.0
// What this host's address reservations say about pods. Read without a lock, while they may change. Changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ipam/folder.h"

namespace onlink::node {

struct Lease {
  std::string network;
  std::string path;  // of the file
  ipam::Reservation reservation;
};

// data_dir: of all networks. network: empty: any. Nothing also if there are no reservations or they cannot be read.
std::optional<Lease> find_lease(const std::string& data_dir, const std::string& network,
                                const IpAddress& address);
// The first of any network for which is_it() is true.
std::optional<Lease> find_lease(const std::string& data_dir,
                                const std::function<bool(const ipam::Reservation&)>& is_it);

}  // namespace onlink::node
