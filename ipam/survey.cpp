// SPDX-License-Identifier: Apache-2.0
#include "ipam/survey.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/failure.h"
#include "cni/names.h"
#include "ipam/index.h"

namespace onlink::ipam {
namespace {

bool is_own_or_host_locals(const std::string& name) {
  return name == "." || name == ".." || name == "lock" || name.starts_with("last_reserved_ip.") ||
         name.starts_with(".onlink-");
}

// What is odd about a file that has the name of an address; empty where nothing is.
std::string fault_of(const Reservation& reservation) {
  if (!reservation.obstacle.empty())
    return fmt::format("{} has the name of an address: nobody gets that address while it is there",
                       reservation.obstacle);
  if (reservation.owner.container_id.empty())
    return "empty: whoever made it died before it was whole; it is reclaimed when its address is needed";
  const auto container = cni::problem_of_name(reservation.owner.container_id);
  const auto ifname =
      reservation.owner.ifname.empty() ? std::nullopt : cni::problem_of_ifname(reservation.owner.ifname);
  if (container || ifname)
    return "its content names no attachment, so no DEL will ever release it: onlink-ipam release does";
  return {};
}

void look_at_folder(const Folder& folder, const Evidence& evidence, Survey& survey) {
  std::vector<Reservation> reservations;
  for (const std::string& name : folder.names()) {
    const auto address = Folder::address_of(name);
    if (!address && !is_own_or_host_locals(name))
      survey.remarks.push_back(name + ": neither ours nor host-local's; it does no harm");
    if (auto reservation = address ? folder.look_at(*address) : std::nullopt)
      reservations.push_back(std::move(*reservation));
  }
  std::sort(reservations.begin(), reservations.end(),
            [](const Reservation& a, const Reservation& b) { return a.address < b.address; });
  const auto verdicts = evidence.judge(reservations);
  for (std::size_t i = 0; i < reservations.size(); ++i) {
    const auto record = evidence.record_of(reservations[i]);
    survey.items.push_back({reservations[i], verdicts[i], record && !record->home.empty()});
  }
  for (const Survey::Item& item : survey.items) {
    const std::string fault = fault_of(item.reservation);
    const std::string address = item.reservation.address.to_string();
    if (!fault.empty()) survey.faults.push_back(fmt::format("{}/{}: {}", folder.path(), address, fault));
    if (item.verdict.is_stale() && fault.empty())
      survey.faults.push_back(fmt::format("{}/{}: stale, {}; it is reclaimed when its address is needed",
                                          folder.path(), address, item.verdict.why));
  }
}

void look_at_records(const Evidence& evidence, Survey& survey) {
  const auto item_of = [&](const IpAddress& address) {
    const auto item = std::lower_bound(survey.items.begin(), survey.items.end(), address,
                                       [](const Survey::Item& candidate, const IpAddress& wanted) {
                                         return candidate.reservation.address < wanted;
                                       });
    return item != survey.items.end() && item->reservation.address == address ? &*item : nullptr;
  };
  for (const std::string& name : evidence.names()) {
    const auto address = Folder::address_of(name);
    if (!address) continue;
    const std::string path = evidence.path() + "/" + name;
    const Survey::Item* item = item_of(*address);
    if (item == nullptr)
      survey.faults.push_back(path + ": a record without its reservation, which is gone; it is not used");
    else if (!evidence.read(*address))
      survey.faults.push_back(path + ": cannot be understood; it is not used as evidence");
    else if (!evidence.record_of(item->reservation))
      survey.faults.push_back(path +
                              ": the record of an earlier reservation of this address; it is not used");
  }
}

void look_at_index(const Folder& folder, const Evidence& evidence, Survey& survey) {
  std::vector<Reservation> reservations;
  for (const Survey::Item& item : survey.items) reservations.push_back(item.reservation);
  std::string state;
  for (const std::string& fault : Index::inspect(folder, evidence, reservations, state))
    survey.faults.push_back(fmt::format("{}/index: {}; remove the file", evidence.path(), fault));
  survey.remarks.push_back(state == "fits the folder"
                               ? "index: fits the folder"
                               : fmt::format("index: to be built anew at the next call: {}", state));
}

}  // namespace

Survey Survey::make(const Folder& folder, const std::string& run_dir, const std::string& network,
                    HostEnds* host_ends) {
  const Evidence evidence(run_dir, folder, host_ends);
  Survey survey;
  survey.network = network;
  look_at_folder(folder, evidence, survey);
  look_at_records(evidence, survey);
  look_at_index(folder, evidence, survey);
  return survey;
}

std::optional<Survey> Survey::consistent(const std::string& data_dir, const std::string& run_dir,
                                         const std::string& network, HostEnds* host_ends) {
  // Whoever changes the folder does so under the lock, and gives it another time.
  const auto look = [&] { return Folder::open(data_dir, network, Folder::IfMissing::nothing); };
  const auto time_of = [](const std::optional<Folder>& folder) { return folder ? folder->changed() : 0; };
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto before = time_of(look());
    const auto folder = Folder::peek(data_dir, network);
    if (!folder) return std::nullopt;
    Survey survey = make(*folder, run_dir, network, host_ends);
    if (time_of(look()) == before) return survey;
  }
  const auto locked = look();
  return locked ? std::optional(make(*locked, run_dir, network, host_ends)) : std::nullopt;
}

std::vector<std::string> list_networks(const std::string& data_dir) {
  const std::unique_ptr<DIR, decltype([](DIR* dir) { ::closedir(dir); })> stream(::opendir(data_dir.c_str()));
  if (!stream) throw system_failure("read directory " + data_dir);
  std::vector<std::string> networks;
  while (const dirent* entry = ::readdir(stream.get()))
    if (entry->d_type == DT_DIR && !cni::problem_of_name(entry->d_name)) networks.emplace_back(entry->d_name);
  std::sort(networks.begin(), networks.end());
  return networks;
}

std::string to_string(Verdict::State state) {
  switch (state) {
    case Verdict::State::alive:
      return "alive";
    case Verdict::State::stale:
      return "stale";
    case Verdict::State::unknown:
      break;
  }
  return "unknown";
}

}  // namespace onlink::ipam
