// SPDX-License-Identifier: Apache-2.0
#include "ipam/ledger.h"

#include <fmt/format.h>

#include <exception>
#include <optional>
#include <utility>

#include "base/failure.h"

namespace onlink::ipam {

std::string describe(const cni::Attachment& owner) {
  if (owner.container_id.empty()) return "nobody";
  if (owner.ifname.empty()) return "container " + owner.container_id;
  return fmt::format("container {}, interface {}", owner.container_id, owner.ifname);
}

Ledger::Ledger(Folder folder, Evidence evidence, Notes notes)
    : folder_(std::move(folder)),
      evidence_(std::move(evidence)),
      notes_(std::move(notes)),
      index_(folder_, evidence_) {
  if (!index_.why_rebuilt().empty() || !evidence_.is_settled()) clear_leftovers();
}

// Of processes that died. They die before they seal the index, so only a process that rebuilds it has to look. An empty
// file may be of a living attachment whose lost reservation was being restored: restore_lost() makes it again.
void Ledger::clear_leftovers() {
  try {
    for (const IpAddress& address : index_.held_by({})) {
      const auto reservation = folder_.read(address);
      if (!reservation) continue;
      const Verdict verdict = judge(*reservation);
      if (verdict.is_stale()) give_back(*reservation, "reclaim", verdict.why);
    }
    evidence_.settle();
    for (const std::string& name : evidence_.names()) {
      const auto address = Folder::address_of(name);
      if (address && !folder_.exists(*address)) forget(*address);
    }
  } catch (const Failure& failure) {
    note(fmt::format("{}, ignoring: records of released addresses may stay", failure.what()));
  }
}

void Ledger::restore_lost(const std::vector<RangeSet>& range_sets) {
  if (evidence_.host_ends() == nullptr) return;
  bool can_record = true;
  for (const Holding& holding : evidence_.host_ends()->holdings()) {
    if (!any_contains(range_sets, holding.address)) continue;
    const auto there = folder_.exists(holding.address) ? folder_.read(holding.address) : std::nullopt;
    if (there && evidence_.record_of(*there)) continue;
    if (there && there->owner == holding.owner) {
      const auto made = can_record ? claim(holding.address, holding.owner) : std::nullopt;
      can_record = made.has_value();
      if (made) Evidence::complete(*made, there->file);
      continue;
    }
    if (there && (!holding.is_routed || !there->obstacle.empty() || there->belongs_to(holding.owner)))
      continue;
    if (there) give_back(*there);
    if (!take(holding.address, holding.owner)) continue;
    note(fmt::format("restore {} of {}, which has it: its reservation was {}", holding.address.to_string(),
                     describe(holding.owner), there ? "of " + describe(there->owner) : "gone"));
  }
  index_.restored();
  claims_.clear();
}

void Ledger::forget(const IpAddress& address) {
  if (evidence_.remove(address)) return;
  note(fmt::format("the record of {} could not be removed, ignoring", address.to_string()));
  index_.distrust();
}

Ledger::~Ledger() {
  try {
    index_.save();
  } catch (const std::exception& error) {
    // An index that is not saved is invalid: the next call reads the files.
    note(fmt::format("{}, ignoring: the index of {} will be rebuilt", error.what(), folder_.path()));
  }
}

std::unique_ptr<Ledger> Ledger::open(const Config& config, Folder::IfMissing missing, Notes notes) {
  auto folder = Folder::open(config.data_dir, config.network, missing);
  if (!folder) return nullptr;
  Evidence evidence(config.run_dir, *folder, config.host_ends);
  return std::unique_ptr<Ledger>(new Ledger(std::move(*folder), std::move(evidence), std::move(notes)));
}

std::vector<Reservation> Ledger::held_by(const cni::Attachment& owner) {
  std::vector<Reservation> exact;
  std::vector<Reservation> by_container;
  for (const IpAddress& address : index_.held_by(owner)) {
    auto reservation = folder_.read(address);
    if (reservation && reservation->is_unreadable) throw Failure(reservation->obstacle);
    if (!reservation || !reservation->belongs_to(owner)) continue;
    auto& list = reservation->owner.ifname.empty() ? by_container : exact;
    list.push_back(std::move(*reservation));
  }
  return exact.empty() ? by_container : exact;
}

std::optional<Evidence::Claim> Ledger::claim(const IpAddress& address, const cni::Attachment& owner) const {
  try {
    return evidence_.claim(address, owner);
  } catch (const Failure& failure) {
    note(fmt::format("{}, ignoring: {} can be reclaimed after a reboot only", failure.what(),
                     address.to_string()));
    return std::nullopt;
  }
}

// The file comes first: it changes the folder, so that the next process notices where this one was killed.
bool Ledger::take(const IpAddress& address, const cni::Attachment& owner, const std::string& pod) {
  const auto file = folder_.create(address);
  if (!file) return false;
  try {
    auto claim = this->claim(address, owner);
    Folder::mark_pod(*file, pod);
    const FileId id = folder_.fill(*file, owner, evidence_.boot());
    if (claim) Evidence::complete(*claim, id);
    index_.add(address, owner);
    if (claim) claims_.push_back(std::move(*claim));
    return true;
  } catch (...) {
    folder_.remove(address);
    forget(address);
    throw;
  }
}

void Ledger::give_back(const Reservation& reservation) {
  // Nobody remembers an address of an earlier boot: it need not rest.
  const bool is_old = !reservation.boot.empty() && reservation.boot != evidence_.boot();
  // The file was there a moment ago. If it is gone now, the next process looks at the whole folder again.
  if (!folder_.remove(reservation.address)) index_.distrust();
  forget(reservation.address);
  index_.remove(reservation.address, is_old ? Index::Then::be_free : Index::Then::rest);
}

void Ledger::give_back(const Reservation& reservation, const std::string& verb, const std::string& why) {
  give_back(reservation);
  note(fmt::format("{} {} of {}: {}", verb, reservation.address.to_string(), describe(reservation.owner),
                   why));
}

bool Ledger::reclaim_stale() {
  std::vector<Reservation> reservations;
  const auto taken = index_.taken();
  for (const IpAddress& address : taken)
    if (auto reservation = folder_.read(address)) reservations.push_back(std::move(*reservation));
  const auto verdicts = evidence_.judge(reservations);
  bool found = false;
  for (std::size_t i = 0; i < reservations.size(); ++i) {
    if (!verdicts[i].is_stale()) continue;
    give_back(reservations[i], "reclaim", verdicts[i].why);
    found = true;
  }
  if (reservations.size() == taken.size()) return found;
  index_.rebuild("files were removed by a process that does not take the lock");
  return true;
}

}  // namespace onlink::ipam
