// SPDX-License-Identifier: Apache-2.0
// One network's reservations, locked: files, index and records changed together.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ipam/config.h"
#include "ipam/evidence.h"
#include "ipam/folder.h"
#include "ipam/index.h"

namespace onlink::ipam {

class Ledger {
 public:
  using Notes = std::function<void(const std::string&)>;

  // Nothing where the network has no folder and none is to be made.
  static std::optional<Ledger> open(const Config& config, Folder::IfMissing missing, Notes notes);

  Index& index() { return index_; }
  Folder& folder() { return folder_; }
  const Evidence& evidence() const { return evidence_; }

  // What the attachment holds, read from the files. Reservations of an old host-local, which name a container
  // only, count where there are no others.
  std::vector<Reservation> held_by(const cni::Attachment& owner) const;
  Verdict judge(const Reservation& reservation) const { return evidence_.judge(reservation); }

  // False where the address is taken.
  bool take(const IpAddress& address, const cni::Attachment& owner, const std::string& netns);
  void give_back(const Reservation& reservation);
  // Takes back every reservation that is proved dead; each is noted. Returns how many.
  std::size_t reclaim_stale();
  void note(const std::string& text) const {
    if (notes_) notes_(text);
  }

 private:
  Ledger(Folder folder, Evidence evidence, Notes notes)
      : folder_(std::move(folder)),
        evidence_(std::move(evidence)),
        notes_(std::move(notes)),
        index_(folder_) {}

  Folder folder_;
  Evidence evidence_;
  Notes notes_;
  Index index_;
};

// "container c1, interface eth0"
std::string describe(const cni::Attachment& owner);

}  // namespace onlink::ipam
