// SPDX-License-Identifier: Apache-2.0
// The folder of a network, <dataDir>/<network>, in host-local's layout. Its files are the truth about what is
// reserved:
//
//   10.1.2.5             one file for each reserved address: "<container ID>\r\n<ifname>"; the container ID
//                        alone in files of an old host-local
//   last_reserved_ip.0   the address that was last given out from range set 0
//   lock                 held with flock(2) while the folder is read or changed
//
// host-local reads every regular file of the folder. Those whose whole content is an attachment are its
// reservations, whatever their names.
//
// A reservation is made under the lock, as a new file that is written immediately. A process killed in between
// leaves an empty file, which the next one removes, or one that its record identifies (evidence.h). Nothing is
// synced to the disk, as in host-local: a power cut ends the attachments as well. What it leaves behind is
// recognised by its boot mark, or by being empty.
//
// No symbolic link below dataDir is followed. Anything but a regular file is never removed and keeps its
// address taken.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/ip.h"
#include "base/unique_fd.h"
#include "cni/request.h"

namespace onlink::ipam {

// The identity of a file: a name that was removed and created again has another one.
struct FileId {
  std::uint64_t inode = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970

  bool operator==(const FileId&) const = default;
};

struct Reservation {
  IpAddress address;
  cni::Attachment owner;  // ifname empty: written by an old host-local; both empty: an empty file
  FileId file;
  std::string pod;             // "namespace/name"; empty where unknown
  std::string boot;            // ID of the boot that it was made in, or first seen by us; empty where unknown
  std::string obstacle;        // not empty: no reservation, but this is in the way ("a directory")
  bool is_unreadable = false;  // the obstacle is a file that may be anyone's reservation

  bool is_whole() const { return obstacle.empty() && !owner.container_id.empty(); }
  bool belongs_to(const cni::Attachment& attachment) const {
    return is_whole() && owner.container_id == attachment.container_id &&
           (owner.ifname == attachment.ifname || owner.ifname.empty());
  }
};

FileId id_of(const UniqueFd& file);  // throws Failure
// "2026-11-22T10:28:35Z"
std::string modified_in_utc(const FileId& file);

class Folder {
 public:
  enum class IfMissing { create, nothing };

  // Opens the folder and takes its lock, which is held as long as the object lives. Nothing where there is no
  // such folder.
  static std::optional<Folder> open(const std::string& data_dir, const std::string& network,
                                    IfMissing missing);

  // The same without the lock and without write permission: what is read may be changing.
  static std::optional<Folder> peek(const std::string& data_dir, const std::string& network);

  void unlock() { lock_ = UniqueFd(); }
  // Where it is missing, no call has ever opened the folder: to look is no reason to make it.
  bool has_lock_file() const;

  int fd() const { return directory_.get(); }
  struct stat status() const;
  const std::string& path() const { return path_; }

  // Nothing where there is no file. An unreadable file is an obstacle: it must not spoil the others.
  std::optional<Reservation> read(const IpAddress& address) const;
  // True also where that cannot be determined.
  bool exists(const IpAddress& address) const;
  std::vector<std::string> names() const { return names_in(fd(), path_); }
  // Those among these names, ascending. Every file is opened.
  std::vector<Reservation> reservations(const std::vector<std::string>& names) const;
  // The address that a file name means; nothing for names that no reservation has.
  static std::optional<IpAddress> address_of(const std::string& name);

  // Creates the reservation of an address, an empty file that fill() completes. Nothing where it is taken.
  std::optional<UniqueFd> create(const IpAddress& address) const;
  FileId fill(const UniqueFd& file, const cni::Attachment& owner, const std::string& boot,
              const std::string& pod) const;

  // True if there was a file to remove.
  bool remove(const IpAddress& address) const;
  // Marks a file that has no boot mark yet. Does nothing on a file system without extended attributes.
  void mark_boot(const IpAddress& address, const std::string& boot) const noexcept;

  std::optional<IpAddress> last_reserved(std::size_t range_set) const;
  void set_last_reserved(std::size_t range_set, const IpAddress& address) const;

 private:
  Folder(std::string path, UniqueFd directory, UniqueFd lock)
      : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd directory_;
  UniqueFd lock_;
};

}  // namespace onlink::ipam
