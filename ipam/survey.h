// SPDX-License-Identifier: Apache-2.0
// Everything about a network's reservations, looked at without changing anything.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ipam/config.h"
#include "ipam/evidence.h"
#include "ipam/folder.h"

namespace onlink::ipam {

struct Survey {
  struct Item {
    Reservation reservation;
    Verdict verdict;
    std::optional<Record> record;  // if it is of this very reservation

    // Made by `onlink`: the host has one route to the address.
    bool is_routed() const { return record && !record->home.empty(); }
  };

  std::string network;
  std::vector<Item> items;           // by address
  std::vector<std::string> faults;   // what does not fit together, each a sentence with what to do about it
  std::vector<std::string> remarks;  // what is harmless but worth knowing

  std::size_t count(Verdict::State state) const {
    return static_cast<std::size_t>(std::count_if(
        items.begin(), items.end(), [&](const Item& item) { return item.verdict.state == state; }));
  }
  // The state at one moment. The lock is held only briefly, unless the folder changes all the time. Nothing
  // where there is no such network. Throws Failure.
  static std::optional<Survey> consistent(const Config& config);
  // Without any lock: what is looked at may be changing.
  static Survey make(const Folder& folder, const Config& config);
};

// The names of the networks below dataDir.
std::vector<std::string> list_networks(const std::string& data_dir);

}  // namespace onlink::ipam
