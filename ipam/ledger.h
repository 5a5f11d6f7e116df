// SPDX-License-Identifier: Apache-2.0
// One network's reservations, locked: files, records and index changed together.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ipam/config.h"
#include "ipam/evidence.h"
#include "ipam/folder.h"
#include "ipam/index.h"

namespace onlink::ipam {

class Ledger {
 public:
  // Null where the network has no folder and none is to be created. The lock is held as long as the object
  // lives.
  static std::unique_ptr<Ledger> open(const Config& config, Folder::IfMissing missing, Notes notes);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();  // saves the index

  Index& index() { return index_; }
  const Index& index() const { return index_; }
  const Folder& folder() const { return folder_; }
  const Evidence& evidence() const { return evidence_; }

  // What the attachment holds, read from the files. Reservations of an old host-local, which name only a
  // container, count where there are no others.
  std::vector<Reservation> held_by(const cni::Attachment& owner);

  // False where the address is taken.
  bool take(const IpAddress& address, const cni::Attachment& owner, const std::string& pod = {});
  // Claims on what was taken: while they exist, others take its attachment for alive.
  std::vector<Evidence::Claim> claims() { return std::move(claims_); }
  void give_back(const Reservation& reservation);
  // The same, for what is proved dead or must go; the note says what and why: "reclaim 10.1.2.3 of ...: why".
  void give_back(const Reservation& reservation, const std::string& verb, const std::string& why);
  // Takes back those that are proved dead. Returns the others.
  std::vector<Judged> reclaim(const std::vector<Reservation>& reservations);
  void reclaim_all();
  // Restores the reservations and records in these ranges of living attachments, which someone has removed, or put old
  // ones in the place of (a backup).
  void restore_lost(const std::vector<RangeSet>& range_sets);
  void note(const std::string& text) const {
    if (notes_) notes_(text);
  }
  // Does what may fail; a note says what follows from that.
  template <class Action>
  void attempt(const std::string& consequence, Action&& action) const {
    try {
      action();
    } catch (const std::exception& error) {
      note(fmt::format("{}, ignoring: {}", error.what(), consequence));
    }
  }

 private:
  Ledger(Folder folder, Evidence evidence, Notes notes);
  void clear_leftovers();
  void forget(const IpAddress& address);
  Evidence::Claim claim(const IpAddress& address, const cni::Attachment& owner, const FileId& begun) const;

  Folder folder_;
  Evidence evidence_;
  Notes notes_;
  Index index_;
  std::vector<Evidence::Claim> claims_;
};

// "container c1, interface eth0"
std::string describe(const cni::Attachment& owner);

}  // namespace onlink::ipam
