// SPDX-License-Identifier: Apache-2.0
#include "ipam/ledger.h"

#include <fmt/format.h>

#include "base/failure.h"

namespace onlink::ipam {

std::string describe(const cni::Attachment& owner) {
  if (owner.container_id.empty()) return "nobody";
  return owner.ifname.empty() ? "container " + owner.container_id
                              : fmt::format("container {}, interface {}", owner.container_id, owner.ifname);
}

std::optional<Ledger> Ledger::open(const Config& config, Folder::IfMissing missing, Notes notes) {
  auto folder = Folder::open(config.data_dir, config.network, missing);
  if (!folder) return std::nullopt;
  Evidence evidence(config.run_dir, config.network, folder->fd());
  return Ledger(std::move(*folder), std::move(evidence), std::move(notes));
}

std::vector<Reservation> Ledger::held_by(const cni::Attachment& owner) const {
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
  // Asked first: writing our record would overwrite that of the holder.
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
      folder_.discard();
      return false;
    }
  } catch (...) {
    folder_.discard();
    evidence_.remove(address);
    throw;
  }
  index_.add(address, owner);
  return true;
}

void Ledger::give_back(const Reservation& reservation) {
  folder_.remove(reservation.address);
  evidence_.remove(reservation.address);
  index_.remove(reservation.address, reservation.owner);
}

std::size_t Ledger::reclaim_stale() {
  std::size_t count = 0;
  for (const IpAddress& address : index_.taken()) {
    const auto reservation = folder_.read(address);
    if (!reservation) continue;
    const Verdict verdict = judge(*reservation);
    if (!verdict.is_stale()) continue;
    give_back(*reservation);
    note(fmt::format("reclaim {} of {}: {}", address.to_string(), describe(reservation->owner), verdict.why));
    ++count;
  }
  return count;
}

}  // namespace onlink::ipam
