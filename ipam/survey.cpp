// SPDX-License-Identifier: Apache-2.0
#include "ipam/survey.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "cni/names.h"
#include "ipam/index.h"

namespace onlink::ipam {
namespace {

bool is_own_or_host_locals(const std::string& name) {
  return name == "." || name == ".." || name == "lock" || name.starts_with("last_reserved_ip.");
}

// What is wrong with a file that is named like an address; empty where nothing is.
std::string fault_of(const Reservation& reservation, const Verdict& verdict) {
  if (!reservation.obstacle.empty())
    return fmt::format("{} is in the way: this address is not given out until that is removed",
                       reservation.obstacle);
  const auto& [container_id, ifname] = reservation.owner;
  if (container_id.empty())
    return "empty: the process that made it died before writing it; it is reclaimed when its address is "
           "needed";
  if (cni::problem_of_name(container_id) || (!ifname.empty() && cni::problem_of_ifname(ifname)))
    return "its content names no attachment, so no DEL will ever release it: use onlink-ipam release";
  if (verdict.is_stale())
    return fmt::format("stale, {}; it is reclaimed when its address is needed", verdict.why);
  return {};
}

void look_at_folder(const Folder& folder, const Evidence& evidence, Survey& survey) {
  std::vector<Reservation> reservations;
  for (const std::string& name : folder.names()) {
    const auto address = Folder::address_of(name);
    if (!address && !is_own_or_host_locals(name))
      survey.remarks.push_back(name + ": neither ours nor host-local's; it does no harm");
    if (auto reservation = address ? folder.read(*address) : std::nullopt)
      reservations.push_back(std::move(*reservation));
  }
  std::sort(reservations.begin(), reservations.end(),
            [](const Reservation& a, const Reservation& b) { return a.address < b.address; });
  const auto verdicts = evidence.judge(reservations);
  for (std::size_t i = 0; i < reservations.size(); ++i) {
    survey.items.push_back({reservations[i], verdicts[i], evidence.record_of(reservations[i])});
    if (const auto fault = fault_of(reservations[i], verdicts[i]); !fault.empty())
      survey.faults.push_back(
          fmt::format("{}/{}: {}", folder.path(), reservations[i].address.to_string(), fault));
  }
  const Index::State index = Index::inspect(folder, evidence, reservations);
  if (index.is_wrong)
    survey.faults.push_back(evidence.path() + "/index: it differs from the files; remove it");
  else if (index.why_not_used.empty())
    survey.remarks.emplace_back("index: fits the folder");
  else
    survey.remarks.push_back("index: will be rebuilt at the next call: " + index.why_not_used);
}

void look_at_records(const Evidence& evidence, Survey& survey) {
  enum class Known { nothing, reservation, record };
  std::map<IpAddress, Known> known;
  for (const Survey::Item& item : survey.items)
    known[item.reservation.address] = item.record ? Known::record : Known::reservation;
  for (const std::string& name : evidence.names()) {
    const auto address = Folder::address_of(name);
    if (!address || known[*address] == Known::record) continue;
    const auto record = evidence.read(*address);
    const char* fault = "the record of an earlier reservation of this address; it is not used";
    if (known[*address] == Known::nothing)
      fault = "a record without its reservation, which is gone; it is not used";
    else if (!record)
      fault = "an invalid record; it is not used as evidence";
    else if (!record->file)
      continue;  // its maker was killed when the reservation was filled
    survey.faults.push_back(fmt::format("{}/{}: {}", evidence.path(), name, fault));
  }
}

}  // namespace

Survey Survey::make(const Folder& folder, const Config& config) {
  const Evidence evidence(config.run_dir, folder, config.host_ends);
  Survey survey;
  survey.network = config.network;
  look_at_folder(folder, evidence, survey);
  look_at_records(evidence, survey);
  return survey;
}

std::optional<Survey> Survey::consistent(const Config& config) {
  if (const auto folder = Folder::peek(config.data_dir, config.network); folder && !folder->has_lock_file())
    return make(*folder, config);
  // Processes change the folder under the lock, which gives it another time.
  const auto lock = [&] { return Folder::open(config.data_dir, config.network, Folder::IfMissing::nothing); };
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto folder = lock();
    if (!folder) return std::nullopt;
    const auto before = folder->changed();
    folder->unlock();
    Survey survey = make(*folder, config);
    if (const auto after = lock(); after && after->changed() == before) return survey;
  }
  const auto folder = lock();
  return folder ? std::optional(make(*folder, config)) : std::nullopt;
}

std::vector<std::string> list_networks(const std::string& data_dir) {
  const UniqueFd folder = open_file(AT_FDCWD, data_dir, O_RDONLY | O_DIRECTORY);
  auto networks = names_in(folder.get(), data_dir);
  std::erase_if(networks, [&](const std::string& name) {
    struct stat status {};
    return cni::problem_of_name(name) ||
           ::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
           !S_ISDIR(status.st_mode);
  });
  std::sort(networks.begin(), networks.end());
  return networks;
}

}  // namespace onlink::ipam
