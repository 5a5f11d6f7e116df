// SPDX-License-Identifier: Apache-2.0
#include "ipam/survey.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/clock.h"
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
  const auto names = folder.names();
  for (const std::string& name : names)
    if (!Folder::address_of(name) && !is_own_or_host_locals(name))
      survey.remarks.push_back(name + ": neither ours nor host-local's; it does no harm");
  survey.items = evidence.judge(folder.reservations(names));
  for (const Judged& item : survey.items)
    if (const auto fault = fault_of(item.reservation, item.verdict); !fault.empty())
      survey.faults.push_back(
          fmt::format("{}/{}: {}", folder.path(), item.reservation.address.to_string(), fault));
  const Index index(folder, evidence, Index::AsItIs{});
  if (!index.why_rebuilt().empty())
    survey.remarks.push_back("index: will be rebuilt at the next call: " + index.why_rebuilt());
  else if (index.is_of(survey.items))
    survey.remarks.emplace_back("index: fits the folder");
  else
    survey.faults.push_back(evidence.path() + "/index: it differs from the files; remove it");
}

void look_at_records(const Evidence& evidence, Survey& survey) {
  // Where a maker was killed, its file says so.
  std::map<IpAddress, bool> is_right;
  for (const Judged& item : survey.items)
    is_right[item.reservation.address] = item.record || !item.reservation.is_whole();
  for (const std::string& name : evidence.names()) {
    const auto address = Folder::address_of(name);
    if (!address) continue;
    const auto found = is_right.find(*address);
    if (found != is_right.end() && found->second) continue;
    const char* const fault = found == is_right.end() ? "a record without its reservation, which is gone"
                                                      : "not a record of this reservation";
    survey.faults.push_back(fmt::format("{}/{}: {}; it is not used", evidence.path(), name, fault));
  }
}

Survey look_at(const Folder& folder, const Config& config) {
  const Evidence evidence(config.run_dir, folder, config.host_ends);
  Survey survey;
  survey.network = config.network;
  look_at_folder(folder, evidence, survey);
  look_at_records(evidence, survey);
  return survey;
}

double count(const IpAddress& first, const IpAddress& last) {
  return static_cast<double>(last.number() - first.number()) + 1;
}

// Addresses of the range that may be given out. What two keys of `exclude` have counts twice: nobody writes that.
double size_of(const Range& range, const Config& config) {
  double size = count(range.start, range.end);
  // The gateway may be among them.
  std::set<IpAddress> single(config.reserved.begin(), config.reserved.end());
  if (range.gateway) single.insert(*range.gateway);
  size -= static_cast<double>(std::count_if(
      single.begin(), single.end(), [&](const IpAddress& address) { return range.contains(address); }));
  for (const IpPrefix& excluded : config.exclude)  // without host bits
    if (range.overlaps(Range::whole(excluded)))
      size -= count(std::max(range.start, excluded.address), std::min(range.end, excluded.last()));
  return size;
}

}  // namespace

std::optional<Survey> Survey::make(const Config& config) {
  const auto folder = Folder::peek(config.data_dir, config.network);
  return folder ? std::optional(look_at(*folder, config)) : std::nullopt;
}

std::optional<Survey> Survey::consistent(const Config& config) {
  if (const auto folder = Folder::peek(config.data_dir, config.network); folder && !folder->has_lock_file())
    return look_at(*folder, config);
  // Processes change the folder under the lock, which gives it another time.
  const auto lock = [&] { return Folder::open(config.data_dir, config.network, Folder::IfMissing::nothing); };
  constexpr int attempts = 3;
  auto folder = lock();
  for (int attempt = 0; folder && attempt < attempts; ++attempt) {
    const auto before = nanoseconds(folder->status().st_ctim);
    folder->unlock();
    Survey survey = look_at(*folder, config);
    folder = lock();
    if (folder && nanoseconds(folder->status().st_ctim) == before) return survey;
  }
  return folder ? std::optional(look_at(*folder, config)) : std::nullopt;
}

Usage usage_of(const Config& given) {
  const Config config = with_reserved(given);
  const Survey survey = Survey::make(config).value_or(Survey{});
  using enum Verdict::State;
  Usage usage{survey.count(alive), survey.count(stale), survey.count(unknown), {}};
  for (const RangeSet& set : config.range_sets) {
    double free = 0;
    for (const Range& range : set.ranges) free += size_of(range, config);
    for (const Judged& item : survey.items) free -= set.find(item.reservation.address) != nullptr ? 1 : 0;
    free = std::max(free, 0.0);
    usage.free = std::min(usage.free.value_or(free), free);
  }
  return usage;
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
