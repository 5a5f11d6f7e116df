// SPDX-License-Identifier: Apache-2.0
#include "ipam/ledger.h"

#include <fmt/format.h>

#include <exception>
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
      index_(folder_, evidence_.boot()) {
  if (!index_.why_rebuilt().empty()) clear_leftovers();
}

// Of processes that died. They die before they have sealed the index, so only who builds it anew has to look.
void Ledger::clear_leftovers() {
  discard();
  try {
    for (const std::string& name : evidence_.names()) {
      const auto address = Folder::address_of(name);
      if (address && !folder_.exists(*address)) forget(*address);
    }
  } catch (const Failure& failure) {
    note(fmt::format("{}, ignoring: records of released addresses may stay", failure.what()));
  }
}

// What cannot be taken away now is left to the next call: without a sealed index it looks for leftovers.
void Ledger::discard() {
  if (!folder_.discard()) index_.distrust();
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
    note(fmt::format("{}, ignoring: the index of {} will be built anew", error.what(), folder_.path()));
  }
}

std::unique_ptr<Ledger> Ledger::open(const Config& config, Folder::IfMissing missing, Notes notes) {
  auto folder = Folder::open(config.data_dir, config.network, missing);
  if (!folder) return nullptr;
  Evidence evidence(config.run_dir, config.network, folder->fd());
  return std::unique_ptr<Ledger>(new Ledger(std::move(*folder), std::move(evidence), std::move(notes)));
}

std::vector<Reservation> Ledger::held_by(const cni::Attachment& owner) {
  std::vector<Reservation> exact;
  std::vector<Reservation> by_container;
  for (const IpAddress& address : index_.held_by(owner)) {
    auto reservation = folder_.read(address);
    if (!reservation || !reservation->belongs_to(owner)) continue;
    auto& list = reservation->owner.ifname.empty() ? by_container : exact;
    list.push_back(std::move(*reservation));
  }
  return exact.empty() ? by_container : exact;
}

bool Ledger::take(const IpAddress& address, const cni::Attachment& owner, const std::string& netns) {
  // Asked first: our record would overwrite that of the holder.
  if (folder_.exists(address)) return false;
  Record record = evidence_.observe(owner, netns);
  record.file = folder_.draft(owner, evidence_.boot());
  try {
    evidence_.write(address, record);
  } catch (const Failure& failure) {
    note(fmt::format("{}, ignoring: {} can be reclaimed after a reboot only", failure.what(),
                     address.to_string()));
  }
  try {
    if (!folder_.publish(address)) {
      discard();
      return false;
    }
  } catch (...) {
    discard();
    forget(address);
    throw;
  }
  try {
    index_.add(address, owner);
  } catch (...) {
    folder_.remove(address);
    forget(address);
    throw;
  }
  return true;
}

void Ledger::give_back(const Reservation& reservation, Index::Then then) {
  // The file was there a moment ago. Who misses it now looks at the whole folder again.
  if (!folder_.remove(reservation.address)) index_.distrust();
  forget(reservation.address);
  index_.remove(reservation.address, reservation.owner, then);
}

void Ledger::give_back(const Reservation& reservation, const std::string& verb, const std::string& why) {
  // Nobody remembers an address of an earlier boot: it need not rest.
  const bool is_old = !reservation.boot.empty() && reservation.boot != evidence_.boot();
  give_back(reservation, is_old ? Index::Then::be_free : Index::Then::rest);
  note(fmt::format("{} {} of {}: {}", verb, reservation.address.to_string(), describe(reservation.owner),
                   why));
}

std::size_t Ledger::reclaim_stale() {
  std::size_t count = 0;
  bool missing = false;
  for (const IpAddress& address : index_.taken()) {
    const auto reservation = folder_.look_at(address);
    missing = missing || !reservation;
    if (!reservation) continue;
    const Verdict verdict = judge(*reservation);
    if (!verdict.is_stale()) continue;
    give_back(*reservation, "reclaim", verdict.why);
    ++count;
  }
  if (missing) index_.rebuild("files were removed by someone who does not take the lock");
  return missing ? count + 1 : count;
}

}  // namespace onlink::ipam
