// SPDX-License-Identifier: Apache-2.0
// What the folder's files say, in a form that answers at once: which address is free next, and which
// addresses an attachment holds. Only a hint: who acts on an answer looks at the file first.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "cni/request.h"
#include "ipam/folder.h"

namespace onlink::ipam {

class Index {
 public:
  explicit Index(const Folder& folder);

  // The lowest address from `first` to `last` that is not taken.
  std::optional<IpAddress> next_free(const IpAddress& first, const IpAddress& last) const;
  // Addresses that may be held by the attachment; files of an old host-local are found by their container
  // alone.
  std::vector<IpAddress> held_by(const cni::Attachment& owner) const;
  // Every address that has a file.
  std::vector<IpAddress> taken() const;

  void add(const IpAddress& address, const cni::Attachment& owner);
  void remove(const IpAddress& address, const cni::Attachment& owner);

 private:
  std::map<IpAddress, cni::Attachment> taken_;
};

}  // namespace onlink::ipam
