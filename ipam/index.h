// SPDX-License-Identifier: Apache-2.0
// What the folder's files say, in a form that answers at once: which address is free next, which ones an
// attachment holds, and which were released a moment ago. Kept whole in the file "index" of the folder of
// records, which is memory and ends with the boot.
//
// Only a hint. The files are the truth: who acts on an answer looks at the file first, and the index is used
// only while its seal fits the folder. The seal is the folder's own modification time, which we set
// ourselves, under the lock and as the last step: to the clock's time, which lies between two ticks of the
// kernel's file times. So any later change of the folder, even within the same tick, gives it another time
// than that of the seal. Whatever breaks off before the seal (SIGKILL, a full disk), changes the folder
// without knowing us (host-local, rm) or brings another folder or another boot makes the index invalid, and
// the next who opens it builds it anew from the files. So does a checksum that does not fit.
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
  // Reads it, or builds it anew from the files; files without a boot mark get that of this boot then. Both
  // must stay where they are as long as the index.
  Index(const Folder& folder, const Evidence& evidence);

  // The lowest address from `first` to `last` that is neither taken nor resting.
  std::optional<IpAddress> next_free(const IpAddress& first, const IpAddress& last) const;
  // The one that was released first among the resting ones that suit.
  std::optional<IpAddress> oldest_resting(const std::function<bool(const IpAddress&)>& suits) const;
  // Addresses that may be held by the attachment: owners are known by hashes. Files of an old host-local are
  // found by their container alone.
  std::vector<IpAddress> held_by(const cni::Attachment& owner) const;
  // Every address that has a file, ascending.
  std::vector<IpAddress> taken() const;

  // To be told of each change of a file, after it was made.
  void add(const IpAddress& address, const cni::Attachment& owner);
  enum class Then { rest, be_free };
  void remove(const IpAddress& address, Then then);
  // Ends the rest of what was released longer ago than this.
  void wake(std::chrono::seconds cooldown);
  // False if it answered yes less than `pause` ago: for work that need not be done at each call.
  bool is_due(std::chrono::seconds pause);

  // For who finds that it is wrong.
  void rebuild(const std::string& why);
  // It is not sealed this time: the next who opens it builds it anew, and clears what dead processes left.
  void distrust() { is_trusted_ = false; }
  // Why it was built anew; empty where it was read.
  const std::string& why_rebuilt() const { return why_rebuilt_; }
  // A file that could not be read when it was built, and is anyone's: what it names as held by nobody may be
  // held all the same. Empty where there is none. Such an index is not saved.
  const std::string& unreadable() const { return unreadable_; }

  // Writes what was changed and seals it. Throws Failure where that cannot be done: then it is invalid, and
  // that is all.
  void save();

  // For people: how it stands to these reservations, all that there are. Nothing is changed.
  struct State {
    bool is_wrong = false;  // its seal fits, and it says something else than the files
    std::string why_not_used;
  };
  static State inspect(const Folder& folder, const Evidence& evidence,
                       std::span<const Reservation> reservations);

 private:
  struct Header;
  struct Entry {
    std::uint64_t high;  // the address, IPv4 as ::ffff:a.b.c.d
    std::uint64_t low;
    // Held: a hash of the owner, with the highest bit; resting: since when (CLOCK_BOOTTIME, nanoseconds).
    std::uint64_t value;

    IpNumber key() const { return IpNumber{high} << 64 | low; }
    IpAddress address() const;
    bool is_held() const { return value >> 63 != 0; }
    bool operator==(const Entry&) const = default;
  };

  using Entries = std::vector<Entry, Pages<Entry>>;

  struct Unread {};
  Index(const Folder& folder, const Evidence& evidence, Unread) : folder_(&folder), evidence_(&evidence) {}
  static Entry entry_of(const IpAddress& address, const cni::Attachment& owner);
  static bool by_address(const Entry& a, const Entry& b);
  // Where the address is, or belongs.
  template <class List>
  static auto place_of(List& entries, const IpAddress& address);
  void touch(Entries::iterator place);
  void read();
  bool load();
  void build();

  const Folder* folder_;
  const Evidence* evidence_;
  std::string why_rebuilt_;
  std::string unreadable_;
  Entries entries_;            // by address
  std::int64_t last_due_ = 0;  // CLOCK_BOOTTIME, nanoseconds
  bool changed_ = false;
  std::size_t kept_ = 0;  // so many of the first entries are in the file as they are here
  bool is_trusted_ = true;
};

}  // namespace onlink::ipam
