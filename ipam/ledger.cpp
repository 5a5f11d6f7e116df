// SPDX-License-Identifier: Apache-2.0
#include "ipam/ledger.h"

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
  attempt("records of released addresses may stay", [&] {
    for (const IpAddress& address : index_.held_by({}))
      if (const auto reservation = folder_.read(address)) reclaim({*reservation});
    evidence_.settle();
    for (const std::string& name : evidence_.names()) {
      const auto address = Folder::address_of(name);
      if (address && !folder_.exists(*address)) forget(*address);
    }
  });
}

void Ledger::restore_lost(const std::vector<RangeSet>& range_sets) {
  if (evidence_.host_ends() == nullptr) return;
  bool can_record = true;
  for (const Holding& holding : evidence_.host_ends()->holdings()) {
    if (!any_contains(range_sets, holding.address)) continue;
    const auto there = folder_.exists(holding.address) ? folder_.read(holding.address) : std::nullopt;
    if (there && evidence_.look_at(*there).record) continue;
    if (there && there->owner == holding.owner) {
      const Evidence::Claim made =
          can_record ? claim(holding.address, holding.owner, there->file) : Evidence::Claim();
      can_record = static_cast<bool>(made);
      if (made) Evidence::complete(made, there->file);
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

// An index that is not saved is invalid: the next call reads the files.
Ledger::~Ledger() {
  attempt("the index of " + folder_.path() + " will be rebuilt", [&] { index_.save(); });
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

Evidence::Claim Ledger::claim(const IpAddress& address, const cni::Attachment& owner,
                              const FileId& begun) const {
  Evidence::Claim claim;
  attempt(address.to_string() + " can be reclaimed after a reboot only",
          [&] { claim = evidence_.claim(address, owner, begun); });
  return claim;
}

// The file comes first: it changes the folder, so that the next process notices where this one was killed.
bool Ledger::take(const IpAddress& address, const cni::Attachment& owner, const std::string& pod) {
  const auto file = folder_.create(address);
  if (!file) return false;
  try {
    Evidence::Claim claim = this->claim(address, owner, id_of(*file));
    const FileId id = folder_.fill(*file, owner, evidence_.boot(), pod);
    if (claim) Evidence::complete(claim, id);
    index_.add(address, owner);
    if (claim) claims_.push_back(std::move(claim));
    return true;
  } catch (...) {
    folder_.remove(address);
    forget(address);
    throw;
  }
}

void Ledger::give_back(const Reservation& reservation) {
  // The file was there a moment ago. If it is gone now, the next process looks at the whole folder again.
  if (!folder_.remove(reservation.address)) index_.distrust();
  forget(reservation.address);
  index_.remove(reservation.address);
}

void Ledger::give_back(const Reservation& reservation, const std::string& verb, const std::string& why) {
  give_back(reservation);
  note(fmt::format("{} {} of {}: {}", verb, reservation.address.to_string(), describe(reservation.owner),
                   why));
}

std::vector<Judged> Ledger::reclaim(const std::vector<Reservation>& reservations) {
  auto all = evidence_.judge(reservations);
  std::erase_if(all, [&](const Judged& judged) {
    if (judged.verdict.is_stale()) give_back(judged.reservation, "reclaim", judged.verdict.why);
    return judged.verdict.is_stale();
  });
  return all;
}

void Ledger::reclaim_all() {
  const auto reservations = folder_.reservations(folder_.names());
  // Files were removed by a process that does not take the lock.
  if (reservations.size() != index_.taken().size()) index_.rebuild();
  (void)reclaim(reservations);
}

}  // namespace onlink::ipam
