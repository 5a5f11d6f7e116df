// SPDX-License-Identifier: Apache-2.0
// What a main plugin knows of its attachments in the kernel: `onlink` can find the host end of each. It lives as
// long as the attachment, since the kernel removes it with the sandbox. Other main plugins know no such thing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "cni/request.h"

namespace onlink::ipam {

// An address that an attachment has and is reached at.
struct Holding {
  IpAddress address;
  cni::Attachment owner;
  bool is_routed;  // the host's route leads to it; otherwise only its pod says that it has the address
};

class HostEnds {
 public:
  virtual ~HostEnds() = default;

  // The identity of the host's network namespace: no other living namespace has it. A word without blanks.
  virtual std::string home() const = 0;
  // The name of the attachment's host end.
  virtual std::string name_of(const cni::Attachment& owner) const = 0;

  struct Suspect {
    cni::Attachment owner;
    std::string interface;  // its name when it was made; empty where that is not known
  };
  // Whether each has its host end now; removes the end of one whose sandbox has died. Throws Failure where that
  // cannot be determined.
  virtual std::vector<bool> exist(std::span<const Suspect> suspects) = 0;
  // All that the network's living attachments hold now. Throws Failure where that cannot be determined.
  virtual std::vector<Holding> holdings() = 0;
};

// For commands and metrics: checks only whether an interface has the name in the record, or an alias of the
// attachment, as it may have been renamed. `onlink`, which reclaims addresses, looks more closely.
class NamedHostEnds : public HostEnds {
 public:
  std::string home() const override;
  std::string name_of(const cni::Attachment&) const override { return {}; }
  std::vector<bool> exist(std::span<const Suspect> suspects) override;
  std::vector<Holding> holdings() override { return {}; }
};

}  // namespace onlink::ipam
