// SPDX-License-Identifier: Apache-2.0
// Everything that there is about a network's reservations, looked at without changing anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ipam/evidence.h"
#include "ipam/folder.h"

namespace onlink::ipam {

struct Survey {
  struct Item {
    Reservation reservation;
    Verdict verdict;
    bool is_routed = false;  // made by `onlink`: the host has one route to the address
  };

  std::string network;
  std::vector<Item> items;           // by address
  std::vector<std::string> faults;   // what does not fit together, each a sentence with what to do about it
  std::vector<std::string> remarks;  // what is well but worth knowing

  // As it is at one moment. The lock is held for moments only, unless the folder changes all the time.
  // Nothing where there is no such network. Throws Failure.
  static std::optional<Survey> consistent(const std::string& data_dir, const std::string& run_dir,
                                          const std::string& network, HostEnds* host_ends);
  // Without any lock: what is looked at may be changing.
  static Survey make(const Folder& folder, const std::string& run_dir, const std::string& network,
                     HostEnds* host_ends);
};

// The names of the networks below dataDir.
std::vector<std::string> list_networks(const std::string& data_dir);

std::string to_string(Verdict::State state);  // "alive"

}  // namespace onlink::ipam
