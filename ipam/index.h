// SPDX-License-Identifier: Apache-2.0
// The content of the folder's files, in a form for fast answers: which address is free next, which ones an
// attachment holds, and which were released recently. It is one file, "index" in the folder of records, which
// is in memory and ends with the boot.
//
// Only a hint; the files are the truth. A caller looks at the file before it acts on an answer, and the index
// is used only while its seal fits the folder. The seal is the folder's own modification time. We set it
// ourselves, under the lock and as the folder's last change, to the clock's time, which lies between two
// ticks of the kernel's file times. So any later change of the folder, even within the same tick, gives it
// another time. The index is invalid after anything that breaks off before the seal (SIGKILL, a full disk),
// changes the folder without knowing us (host-local, rm) or brings another folder or boot, and where its
// checksum does not fit. The next process to open it rebuilds it from the files.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/pages.h"
#include "cni/request.h"
#include "ipam/evidence.h"
#include "ipam/folder.h"

namespace onlink::ipam {

class Index {
 public:
  // Reads it, or rebuilds it from the files; then files without a boot mark get this boot's. Both arguments
  // must stay where they are as long as the index lives.
  Index(const Folder& folder, const Evidence& evidence);

  // The lowest address from `first` to `last` that is neither taken nor resting.
  std::optional<IpAddress> next_free(const IpAddress& first, const IpAddress& last) const;
  // The resting address that was released first, among those that suit.
  std::optional<IpAddress> oldest_resting(const std::function<bool(const IpAddress&)>& suits) const;
  // Addresses that the attachment may hold: the index knows owners by hashes. Files of an old host-local are
  // found by their container alone.
  std::vector<IpAddress> held_by(const cni::Attachment& owner) const;
  // Every address that has a file, ascending, but those that these attachments hold.
  std::vector<IpAddress> taken(const std::vector<cni::Attachment>& except = {}) const;

  // Call these after each change of a file.
  void add(const IpAddress& address, const cni::Attachment& owner);
  void remove(const IpAddress& address);
  // Ends the rest of addresses released longer ago than this.
  void wake(std::chrono::seconds cooldown);
  // False if it answered yes less than `pause` ago: for work that need not be done at each call.
  bool is_due(std::chrono::seconds pause);

  // Whether it has been rebuilt since lost reservations were last looked for (Ledger::restore_lost), by whatever process.
  bool is_restore_due() const { return head_.restore_due != 0; }
  void restored();

  // From the files; for a caller that finds it wrong.
  void rebuild();
  // Leaves it unsealed: the next process to open it rebuilds it, and clears what dead processes left.
  void distrust() { is_trusted_ = false; }
  // Why it could not be used as it was; empty where it could.
  const std::string& why_rebuilt() const { return why_rebuilt_; }
  // A file that could not be read when the index was built, and may be anyone's: an address that the index
  // calls nobody's may be held nevertheless. Empty where there is none. Such an index is not saved.
  const std::string& unreadable() const { return unreadable_; }

  // Writes what was changed and seals it. Throws Failure where that fails: then it is merely invalid.
  void save();

  // For people: the file alone, which is never rebuilt, and how it compares with all reservations.
  struct AsItIs {};
  Index(const Folder& folder, const Evidence& evidence, AsItIs);
  bool is_of(std::span<const Judged> reservations) const;

 private:
  // The file: this, then the entries.
  struct Head {
    std::uint64_t magic = 0;
    std::uint64_t checksum = 0;  // of everything else, and the boot
    std::int64_t modified = 0;   // of the folder
    std::int64_t changed = 0;
    std::int64_t last_due = 0;  // CLOCK_BOOTTIME, nanoseconds
    std::uint64_t restore_due = 0;
  };
  struct Entry {
    std::uint64_t high;  // the address, IPv4 as ::ffff:a.b.c.d
    std::uint64_t low;
    // Held: a hash of the owner, with the highest bit set; resting: since when (CLOCK_BOOTTIME, nanoseconds).
    std::uint64_t value;

    static Entry of(const IpAddress& address, const cni::Attachment& owner);
    IpNumber key() const { return IpNumber{high} << 64 | low; }
    IpAddress address() const;
    bool is_held() const { return value >> 63 != 0; }
    bool operator==(const Entry&) const = default;
  };
  using Entries = std::vector<Entry, Pages<Entry>>;

  static bool by_address(const Entry& a, const Entry& b) { return a.key() < b.key(); }
  Entries::iterator change(const Entry& entry);
  std::uint64_t checksum() const;
  void read();

  const Folder* folder_;
  const Evidence* evidence_;
  std::string why_rebuilt_;
  std::string unreadable_;
  Head head_;
  Entries entries_;  // by address
  bool changed_ = false;
  std::size_t kept_ = 0;  // this many leading entries are in the file as they are here
  bool is_trusted_ = true;
};

}  // namespace onlink::ipam
