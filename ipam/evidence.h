// SPDX-License-Identifier: Apache-2.0
// What proves that a reservation's attachment is dead. Nothing but this does:
//
// - `onlink` made it from this host namespace, the host's end of the attachment is gone, and its ADD is not
//   running any more. The kernel tells the second (host_ends.h), a lock that dies with its process the third.
// - It was made in an earlier boot, or first seen in one, and there is no host's end that says otherwise.
// - Its file is empty: whoever makes reservations fills them before they give back the lock, so its maker died
//   before it could tell anyone the address.
//
// What is not proved dead is taken for alive. So within one boot only DEL, GC and `onlink-ipam release` take
// back what was made for other main plugins.
//
// Records are hints of this boot, <runDir>/ipam/<folder>/<address>, kept where a reboot ends them. A record is
// written before its reservation is; one without its reservation means nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"
#include "ipam/folder.h"
#include "ipam/host_ends.h"

namespace onlink::ipam {

// ID of this boot, as the kernel tells it.
std::string read_boot_id();

struct Record {
  cni::Attachment owner;
  std::string boot;
  std::int64_t made = 0;       // CLOCK_REALTIME, nanoseconds: finer than a file's time
  std::string home;            // HostEnds::home() of the maker; empty where it was not `onlink`
  std::string interface;       // the host's end
  std::optional<FileId> file;  // the reservation; nothing where its maker was killed before it was whole
};

struct Verdict {
  enum class State { alive, stale, unknown };  // unknown counts as alive
  State state = State::unknown;
  std::string why;  // "its interface onl1 is gone"

  bool is_stale() const { return state == State::stale; }
};

// The records of one network's reservations.
class Evidence {
 public:
  // The records' folder is named after the network and the identity of its folder. Nothing is made yet.
  // host_ends: null where the caller does not know attachments in the kernel.
  Evidence(const std::string& run_dir, const Folder& folder, HostEnds* host_ends);

  const std::string& boot() const { return boot_; }
  HostEnds* host_ends() const { return host_ends_; }
  const std::string& path() const { return path_; }
  // The folder of the records: -1 where there is none, or none that can be used.
  int fd() const { return directory_.get(); }
  // The same, made where there is none. Throws Failure.
  int make() const;
  // Makes it what it should be, also where its maker was killed, and takes away those of networks' folders that
  // are no more. Throws Failure.
  void settle() const;

  // A record that is being made: as long as it is open, the attachment is taken for alive.
  using Claim = UniqueFd;
  Claim claim(const IpAddress& address, const cni::Attachment& owner) const;
  static void complete(const Claim& claim, const FileId& reservation);
  // False where the record is still there: without its reservation it means nothing.
  bool remove(const IpAddress& address) const noexcept;
  // Nothing where there is none that can be understood.
  std::optional<Record> read(const IpAddress& address) const;
  // The record of this very reservation.
  std::optional<Record> record_of(const Reservation& reservation) const;
  std::vector<std::string> names() const;  // of all records

  // In the order of the reservations. The kernel is asked once for all of them.
  std::vector<Verdict> judge(std::span<const Reservation> reservations) const;
  Verdict judge(const Reservation& reservation) const { return judge({&reservation, 1}).front(); }
  // When it was made, as closely as is known; not before that. CLOCK_REALTIME, nanoseconds.
  std::int64_t made(const Reservation& reservation) const;

 private:
  bool is_being_made(const IpAddress& address) const;
  Verdict suspect(const Reservation& reservation, const std::optional<Record>& record) const;

  std::string path_;
  std::string data_path_;
  std::string boot_;
  HostEnds* host_ends_;
  std::string home_;  // empty where nobody knows it
  mutable UniqueFd directory_;
};

}  // namespace onlink::ipam
