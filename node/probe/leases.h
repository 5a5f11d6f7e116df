// SPDX-License-Identifier: Apache-2.0
// What the reservations of addresses on this host say of pods. Read without a lock: what is read may be changing. Changes nothing.
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

// data_dir: where those of all networks are; network: empty: in any. Nothing too where there are none, or they may not be read.
std::optional<Lease> find_lease(const std::string& data_dir, const std::string& network,
                                const IpAddress& address);
// The first of any network that is_it.
std::optional<Lease> find_lease(const std::string& data_dir,
                                const std::function<bool(const ipam::Reservation&)>& is_it);

}  // namespace onlink::node
