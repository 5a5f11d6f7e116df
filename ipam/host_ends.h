// SPDX-License-Identifier: Apache-2.0
// What a main plugin knows of its attachments in the kernel: `onlink` can find the host's end of each. It is
// the attachment's record of life, which the kernel takes away with the sandbox. Other main plugins know no
// such thing, and then nothing is known here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "cni/request.h"

namespace onlink::ipam {

// An address that an attachment has, and is reached by.
struct Holding {
  IpAddress address;
  cni::Attachment owner;
};

class HostEnds {
 public:
  virtual ~HostEnds() = default;

  // Which network namespace is the host's: no other one that lives has this identity, a word without blanks.
  virtual std::string home() const = 0;
  // The interface's name where the attachment has its end.
  virtual std::string name_of(const cni::Attachment& owner) const = 0;

  struct Suspect {
    cni::Attachment owner;
    std::string interface;  // its name when it was made; empty where that is not known
  };
  // Whether each of them has its end in the host's namespace now; the end of one whose sandbox has died is
  // taken away. Throws Failure where that cannot be told.
  virtual std::vector<bool> exist(std::span<const Suspect> suspects) = 0;
  // All that the network's living attachments hold now. Throws Failure where that cannot be told.
  virtual std::vector<Holding> holdings() = 0;
};

// For whoever only looks: whether the interface that a record names is there. Who reclaims an address looks more
// closely (onlink).
class NamedHostEnds : public HostEnds {
 public:
  std::string home() const override;
  std::string name_of(const cni::Attachment&) const override { return {}; }
  std::vector<bool> exist(std::span<const Suspect> suspects) override;
  std::vector<Holding> holdings() override { return {}; }
};

}  // namespace onlink::ipam
