// SPDX-License-Identifier: Apache-2.0
// What proves that a reservation's attachment is dead. Only this does:
//
// - `onlink` made it from this host namespace, the attachment's host end is gone, and its ADD is not running
//   any more. The kernel shows the second (host_ends.h), a lock that dies with its process the third.
// - It was made in an earlier boot, or first seen in one, and no host end says otherwise. A container may have another
//   boot ID, or none: none proves nothing, and what has a record in a tmpfs is of this boot, whatever the IDs say.
// - Its file is empty: makers fill reservations before they release the lock, so this maker died before it
//   could tell anyone the address.
//
// What is not proved dead counts as alive. So within one boot only DEL, GC and `onlink-ipam release` take back
// what was made for other main plugins.
//
// Records are hints of this boot, <runDir>/ipam/<folder>/<address>, in a place that a reboot empties. A record
// is written before its reservation is filled; without its reservation it means nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"
#include "ipam/folder.h"
#include "ipam/host_ends.h"

namespace onlink::ipam {

// The kernel's ID of this boot; empty where it is hidden.
std::string read_boot_id();

struct Record {
  cni::Attachment owner;
  std::string boot;
  std::int64_t made = 0;  // CLOCK_REALTIME, nanoseconds: finer than a file's time
  std::string home;       // HostEnds::home() of the maker; empty where it was not `onlink`
  std::string interface;  // the host end
  FileId file;  // the reservation; its time is 0 where the maker was killed before it could write it
  bool is_being_made = false;  // its ADD is running
};

struct Verdict {
  enum class State { alive, stale, unknown };  // unknown counts as alive
  State state = State::unknown;
  std::string why;  // "its interface onl1 is gone"

  bool is_stale() const { return state == State::stale; }
};

// A reservation, and what is known of it.
struct Judged {
  Reservation reservation;
  std::optional<Record> record;  // of this very reservation
  Verdict verdict;
  // As closely as is known, and never too early: CLOCK_REALTIME, nanoseconds. Nothing where its record, which may tell,
  // cannot be read for now.
  std::optional<std::int64_t> made;

  bool is_being_made() const { return record && record->is_being_made; }
};

// The records of one network's reservations.
class Evidence {
 public:
  // The records' folder is named after the network and the identity of its folder. Nothing is created yet.
  // host_ends: null where the caller cannot find attachments in the kernel. Throws Failure.
  Evidence(const std::string& run_dir, const Folder& folder, HostEnds* host_ends);

  const std::string& boot() const { return boot_; }
  HostEnds* host_ends() const { return host_ends_; }
  const std::string& path() const { return path_; }
  // The folder of the records: -1 where it is missing or unusable.
  int fd() const { return directory_.get(); }
  // The same; creates a missing folder. Throws Failure.
  int make() const;
  // Whether the folder has its link to the network's folder, which is where the link says. Relative paths get none.
  bool is_settled() const;
  // Completes the folder, also where its maker was killed or the network's folder was moved, and removes records of
  // networks' folders that no longer exist. Throws Failure.
  void settle() const;

  // A record in the making: while it is open, the attachment counts as alive.
  using Claim = UniqueFd;
  // begun: the reservation, which is not filled yet; complete: when it is.
  Claim claim(const IpAddress& address, const cni::Attachment& owner, const FileId& begun) const;
  static void complete(const Claim& claim, const FileId& reservation);
  // False where the record remains: without its reservation it means nothing.
  bool remove(const IpAddress& address) const noexcept;
  std::vector<std::string> names() const;  // of all records

  // What the files show, without the kernel's word on what looks stale.
  Judged look_at(const Reservation& reservation) const;
  // In the order of the reservations. The kernel is asked once for all of them.
  std::vector<Judged> judge(const std::vector<Reservation>& reservations) const;

 private:
  std::optional<Record> load(const IpAddress& address) const;  // throws Failure
  bool is_of_earlier_boot(const Judged& judged) const;
  Verdict suspect(const Judged& judged) const;

  std::string path_;
  std::string data_path_;
  std::string boot_;
  HostEnds* host_ends_;
  std::string home_;  // empty without host_ends
  mutable UniqueFd directory_;
};

}  // namespace onlink::ipam
