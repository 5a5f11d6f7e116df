// SPDX-License-Identifier: Apache-2.0
// What proves that a reservation's attachment is dead. Two things can:
//
//   - The file was made in an earlier boot, or first seen in one: its boot mark names another boot than this.
//   - Its record of this boot, <runDir>/ipam/<folder>/<address>, names the namespace that the attachment was
//   made in,
//     and that namespace is not at its path any more: the path is gone, or something else is there. Unless
//     processes are still in a namespace of that number and the caller's network namespace has a route to the
//     address: `ip netns delete` takes the name only. Both, because the kernel gives numbers to new
//     namespaces soon, and takes routes away some time after a namespace has died.
//
// Everything else is not proof, and what is not proved dead is taken for alive: no record (host-local's
// reservations, or a runDir that was emptied), a record of another file of that name, a namespace that was no
// file when the attachment was made, or a record from another mount namespace, where the path may have meant
// something else. An empty file counts as dead: whoever makes reservations fills them before they give back
// the lock, so its maker died before it could tell anyone the address.
//
// Records are hints of this boot, kept where a reboot ends them. A record is written before its reservation
// appears, so that no reservation is ever without; one without its reservation means nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/unique_fd.h"
#include "ipam/folder.h"
#include "ipam/host_routes.h"

namespace onlink::ipam {

// ID of this boot, as the kernel tells it.
std::string read_boot_id();

// A namespace by what is found at its path. The kernel gives the inode numbers of namespaces that are gone to
// new ones soon; the time of the inode, which is that of its first use, tells them apart where the path is a
// mount (and so keeps the inode). Under /proc the inode is made anew from time to time: there the time says
// nothing.
struct NamespaceId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t since = 0;  // nanoseconds; 0 under /proc

  bool operator==(const NamespaceId&) const = default;
};
// Nothing where there is no such path; throws Failure where that cannot be told.
std::optional<NamespaceId> identify_namespace(const std::string& path);

struct Record {
  cni::Attachment owner;
  FileId file;  // of the reservation
  std::string boot;
  std::int64_t maker = 0;        // process ID
  std::uint64_t root_mount = 0;  // ID of the mount at /, which no two mount namespaces share; 0 where unknown
  std::string netns;             // path; empty where there was nothing at it
  NamespaceId netns_id;

  bool operator==(const Record&) const = default;
};

struct Verdict {
  enum class State { alive, stale, unknown };  // unknown counts as alive
  State state = State::unknown;
  std::string why;  // "its namespace /run/netns/x is gone"

  bool is_stale() const { return state == State::stale; }
};

// The records of one network's reservations.
class Evidence {
 public:
  // The records' folder is named after the network and the identity of its folder. Nothing is made yet.
  Evidence(const std::string& run_dir, const std::string& network, int folder);

  const std::string& boot() const { return boot_; }

  // What is known of an attachment that is being made now in the namespace at this path.
  Record observe(const cni::Attachment& owner, const std::string& netns) const;
  void write(const IpAddress& address, const Record& record);
  // False where the record is still there: without its reservation it means nothing.
  bool remove(const IpAddress& address) noexcept;
  std::optional<Record> read(const IpAddress& address) const;
  std::vector<std::string> names() const;  // of all records
  const std::string& path() const { return path_; }

  Verdict judge(const Reservation& reservation) const;
  // For a reservation of an attachment whose namespace, at this path, has no interface of its name: it is
  // stale as well if it was made in that very namespace and its maker is not still about to make the
  // interface.
  Verdict judge_without_interface(const Reservation& reservation, const std::string& netns) const;

 private:
  const UniqueFd* open(bool create) const;
  bool is_inhabited(std::uint64_t network_namespace) const;
  Verdict judge_namespace(const Record& record, const IpAddress& address) const;
  // The record of this very reservation.
  std::optional<Record> record_of(const Reservation& reservation) const;

  std::string path_;
  std::string boot_;
  std::uint64_t root_mount_;
  // Read when they are first needed.
  mutable std::optional<HostRoutes> routes_;
  mutable std::optional<std::set<std::uint64_t>> inhabited_;  // network namespaces that processes are in
  mutable UniqueFd directory_;
};

}  // namespace onlink::ipam
