// SPDX-License-Identifier: Apache-2.0
#include "ipam/ipam.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"
#include "base/failures.h"
#include "base/file.h"
#include "base/rollback.h"
#include "base/text.h"
#include "ipam/allocate.h"
#include "ipam/ledger.h"

namespace onlink::ipam {
namespace {

std::string in_words(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text.append(1, ' ').append(address.to_string());
  return text;
}

// The requested address of each range set: the first that one of its ranges contains.
std::vector<std::optional<IpAddress>> assign_requests(const Config& config) {
  std::vector<std::optional<IpAddress>> wanted(config.range_sets.size());
  std::vector<IpAddress> left = config.requested;
  for (std::size_t i = 0; i < config.range_sets.size(); ++i) {
    const auto found = std::find_if(left.begin(), left.end(), [&](const IpAddress& address) {
      return config.range_sets[i].find(address) != nullptr;
    });
    if (found == left.end()) continue;
    wanted[i] = *found;
    left.erase(found);
  }
  if (!left.empty())
    throw Failure(
        FailureKind::configuration,
        fmt::format("failed to allocate all requested IPs:{}\nno range set can give them", in_words(left)));
  return wanted;
}

// The list is sorted: what names only a container, in an old host-local's way, stands before the container's attachments.
bool is_valid(const Reservation& reservation, const std::vector<cni::Attachment>& valid) {
  const auto attachment = std::lower_bound(valid.begin(), valid.end(), reservation.owner);
  return attachment != valid.end() && reservation.belongs_to(*attachment);
}

// resolv.conf(5). Lines without a value, comments and unknown words are skipped.
cni::Dns read_resolv_conf(const std::string& path) {
  const auto content = with_context("resolvConf", [&] { return read_file(AT_FDCWD, path); });
  if (!content) throw system_failure("resolvConf: open " + path, ENOENT);
  cni::Dns dns;
  for (const std::string_view line : split(*content, "\n")) {
    const auto words = split(line);
    if (words.size() < 2) continue;  // a comment's first word is none of these
    if (words[0] == "nameserver") dns.nameservers.emplace_back(words[1]);
    if (words[0] == "domain") dns.domain = words[1];
    if (words[0] == "search") dns.search.insert(dns.search.end(), words.begin() + 1, words.end());
    if (words[0] == "options") dns.options.insert(dns.options.end(), words.begin() + 1, words.end());
  }
  return dns;
}

// What every result has.
cni::Result result_of(const Config& config) {
  cni::Result result;
  result.routes = config.routes;
  if (!config.resolv_conf.empty()) result.dns = read_resolv_conf(config.resolv_conf);
  return result;
}

// Gives back what the attachment holds from an earlier ADD, and returns its addresses, from any range. Throws
// Failure where that attachment is not proved dead: an attachment has one set of addresses at a time.
std::vector<IpAddress> end_former(Ledger& ledger, const cni::Attachment& owner) {
  const auto held = ledger.held_by(owner);
  std::vector<IpAddress> addresses(held.size());
  std::transform(held.begin(), held.end(), addresses.begin(),
                 [](const Reservation& reservation) { return reservation.address; });
  for (const Judged& living : ledger.reclaim(held))
    throw Failure(fmt::format("{} has been allocated to {}, duplicate allocation is not allowed\n{}: {}",
                              living.reservation.address.to_string(), owner.container_id,
                              living.verdict.state == Verdict::State::alive
                                  ? "the attachment is alive"
                                  : "the attachment cannot be proved dead",
                              living.verdict.why));
  return addresses;
}

void give_back(Ledger& ledger, const cni::Attachment& owner, const Lease& lease) {
  for (const Reservation& reservation : ledger.held_by(owner))
    if (std::any_of(lease.result.ips.begin(), lease.result.ips.end(),
                    [&](const cni::IpConfig& ip) { return ip.address.address == reservation.address; }))
      ledger.give_back(reservation);
}

}  // namespace

Lease reserve(const Config& given, const cni::Request& request, const Notes& notes) {
  const Config config = with_reserved(given);
  Lease lease{result_of(config), {}};
  const auto wanted = assign_requests(config);

  const auto ledger = Ledger::open(config, Folder::IfMissing::create, notes);
  if (ledger->index().is_restore_due()) ledger->restore_lost(config.range_sets);
  const auto former = end_former(*ledger, request.attachment);
  Rollback undo(notes);
  undo.add("give back what the failed ADD has taken", [&] { give_back(*ledger, request.attachment, lease); });
  for (std::size_t i = 0; i < config.range_sets.size(); ++i) {
    Allocation allocation{config, i, request.attachment, wanted[i]};
    for (const IpAddress& address : former)
      if (!allocation.wanted && allocation.may_give(address)) allocation.wanted = address;
    lease.result.ips.push_back(with_context(fmt::format("failed to allocate for range {}", i),
                                            [&] { return allocate(*ledger, allocation); }));
  }
  undo.commit();
  lease.claims = ledger->claims();
  return lease;
}

void give_back(const Config& config, const cni::Request& request, const Lease& lease, const Notes& notes) {
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, notes);
  if (ledger) give_back(*ledger, request.attachment, lease);
}

void restore(const Config& config, const Notes& notes) {
  Ledger::open(config, Folder::IfMissing::create, notes)->restore_lost(config.range_sets);
}

cni::Result preview(const Config& given) {
  const Config config = with_reserved(given);
  cni::Result result = result_of(config);
  const auto wanted = assign_requests(config);
  const auto folder = Folder::peek(config.data_dir, config.network);
  for (std::size_t i = 0; i < config.range_sets.size(); ++i)
    result.ips.push_back(preview(folder, {config, i, {}, wanted[i]}));
  return result;
}

void release(const Config& config, const cni::Request& request, const Notes& notes) {
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, notes);
  if (!ledger) return;
  const auto held = ledger->held_by(request.attachment);
  if (held.empty() && !ledger->index().unreadable().empty())
    throw Failure(fmt::format("there may be a reservation of {} in {}: {}", describe(request.attachment),
                              ledger->folder().path(), ledger->index().unreadable()));
  Failures failures;
  for (const Reservation& reservation : held) failures.attempt([&] { ledger->give_back(reservation); });
  failures.throw_if_any();
}

namespace {

// Every address of prevResult from our ranges must be held, and at least one held address must be among them:
// not each, as a file in host-local's old format does not name the interface.
void compare(const Config& config, const cni::Request& request, const std::vector<Reservation>& held) {
  std::vector<IpAddress> missing;
  bool any_held = false;
  for (const cni::IpConfig& ip : request.prev_result->ips) {
    const IpAddress& address = ip.address.address;
    const bool is_held =
        std::any_of(held.begin(), held.end(), [&](const Reservation& its) { return its.address == address; });
    any_held = any_held || is_held;
    if (!is_held && any_contains(config.range_sets, address)) missing.push_back(address);
  }
  const std::string owner = describe(request.attachment);
  if (!missing.empty())
    throw Failure(FailureKind::not_as_attached,
                  fmt::format("{} does not hold{}, which prevResult says it has", owner, in_words(missing)));
  if (!any_held)
    throw Failure(FailureKind::not_as_attached, fmt::format("{} holds {}, which prevResult does not list",
                                                            owner, held.front().address.to_string()));
}

}  // namespace

void check(const Config& config, const cni::Request& request) {
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, {});
  std::vector<Reservation> held;
  if (ledger) held = ledger->held_by(request.attachment);
  if (held.empty())
    throw Failure(
        FailureKind::not_as_attached,
        fmt::format("Failed to find address added by container {}\nno reservation in {}/{} is of {}",
                    request.attachment.container_id, config.data_dir, config.network,
                    describe(request.attachment)));
  if (request.prev_result) compare(config, request, held);
}

namespace {

// Checks the folder of reservations, or where it would be created. Only looks: nothing is created.
void require_writable(const std::string& folder) {
  std::string path = folder;
  while (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    path = folder_of(path);
  if (::access(path.c_str(), W_OK | X_OK) != 0) throw system_failure("make reservations in " + path);
  struct statvfs system {};
  if (::statvfs(path.c_str(), &system) != 0) return;
  // File systems that count nothing have no limit.
  if ((system.f_blocks != 0 && system.f_bfree == 0) || (system.f_files != 0 && system.f_ffree == 0))
    throw system_failure("make reservations in " + path, ENOSPC);
}

void find_obstacle(const Config& given, const Notes& notes) {
  const Config config = with_reserved(given);
  (void)result_of(config);
  for (std::size_t i = 0; i < config.range_sets.size(); ++i)
    if (!has_addresses({config, i, {}, {}}))
      throw Failure(
          fmt::format("range set {} has no address to give: all are gateways, excluded, or this node's",
                      config.range_sets[i].to_string()));
  const auto folder = Folder::peek(config.data_dir, config.network);
  require_writable(config.data_dir + "/" + config.network);
  if (!folder || !folder->has_lock_file()) return;
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, notes);
  for (std::size_t i = 0; ledger && i < config.range_sets.size(); ++i)
    if (is_full(*ledger, {config, i, {}, {}}))
      ledger->note(
          fmt::format("every address of range set {} is taken: ADD fails until one is released or stale",
                      config.range_sets[i].to_string()));
}

}  // namespace

void require_ready(const Config& config, const Notes& notes) {
  try {
    find_obstacle(config, notes);
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::internal) throw;
    throw Failure(FailureKind::unavailable, failure.what(), failure.error());
  }
}

namespace {

// Those that no attachment holds which the request lists as valid. The files of those whose owner, as the index knows
// it, is listed are not read.
std::vector<Reservation> not_listed(const Ledger& ledger, const cni::Request& request) {
  std::vector<Reservation> others;
  for (const IpAddress& address : ledger.index().taken(request.valid_attachments)) {
    auto its = ledger.folder().read(address);
    if (its && !is_valid(*its, request.valid_attachments)) others.push_back(std::move(*its));
  }
  return others;
}

// Younger than a GC's list. Nobody makes anything while the GC holds the lock: a later time means that the clock has
// been set back since.
bool is_younger(const Judged& judged, const cni::Request& request) {
  return judged.reservation.file.modified <= nanoseconds(time_by(CLOCK_REALTIME)) &&
         judged.made.value() >= request.begun;
}

}  // namespace

std::vector<cni::Attachment> find_unlistable(const Config& config, const cni::Request& request,
                                             const Notes& notes) {
  std::vector<cni::Attachment> owners;
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, notes);
  if (!ledger) return owners;
  for (const Reservation& reservation : not_listed(*ledger, request)) {
    if (!reservation.is_whole()) continue;
    const Judged judged = ledger->evidence().look_at(reservation);
    if (!judged.made)
      throw Failure(fmt::format("{}: {}", reservation.address.to_string(), judged.verdict.why));
    if (is_younger(judged, request) || judged.is_being_made()) owners.push_back(reservation.owner);
  }
  return owners;
}

void collect(const Config& config, const cni::Request& request, const Notes& notes) {
  const auto ledger = Ledger::open(config, Folder::IfMissing::nothing, notes);
  if (!ledger) return;
  Failures failures;
  const auto all = ledger->evidence().judge(not_listed(*ledger, request));
  for (const Judged& judged : all)
    failures.attempt([&] {
      const auto& [reservation, record, verdict, made] = judged;
      if (reservation.is_unreadable || (reservation.obstacle.empty() && !made))
        throw Failure(fmt::format("{}: {}", reservation.address.to_string(), verdict.why));
      if (!reservation.obstacle.empty() || (!verdict.is_stale() && is_younger(judged, request))) return;
      ledger->give_back(reservation, "collect",
                        verdict.is_stale() ? verdict.why : "no valid attachment has it");
    });
  failures.throw_if_any();
}

}  // namespace onlink::ipam
