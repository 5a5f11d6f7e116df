// SPDX-License-Identifier: Apache-2.0
#include "ipam/index.h"

namespace onlink::ipam {

Index::Index(const Folder& folder) {
  for (const std::string& name : folder.names())
    if (const auto address = Folder::address_of(name))
      if (const auto reservation = folder.read(*address)) taken_[*address] = reservation->owner;
}

std::optional<IpAddress> Index::next_free(const IpAddress& first, const IpAddress& last) const {
  IpAddress address = first;
  for (auto next = taken_.lower_bound(first); next != taken_.end() && next->first == address; ++next) {
    if (address == last) return std::nullopt;
    address = IpAddress::from_number(address.family(), address.number() + 1);
  }
  return address;
}

std::vector<IpAddress> Index::held_by(const cni::Attachment& owner) const {
  std::vector<IpAddress> held;
  for (const auto& [address, holder] : taken_)
    if (holder.container_id == owner.container_id && (holder.ifname == owner.ifname || holder.ifname.empty()))
      held.push_back(address);
  return held;
}

std::vector<IpAddress> Index::taken() const {
  std::vector<IpAddress> all;
  for (const auto& [address, holder] : taken_) all.push_back(address);
  return all;
}

void Index::add(const IpAddress& address, const cni::Attachment& owner) { taken_[address] = owner; }
void Index::remove(const IpAddress& address, const cni::Attachment&) { taken_.erase(address); }

}  // namespace onlink::ipam
