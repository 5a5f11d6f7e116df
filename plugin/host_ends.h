// SPDX-License-Identifier: Apache-2.0
// The host ends of a network's attachments, as the kernel has them: who is attached.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni/request.h"
#include "ipam/host_ends.h"
#include "netlink/link.h"
#include "plugin/apply.h"
#include "plugin/config.h"
#include "plugin/identity.h"

namespace onlink::plugin {

// host: must stay where it is as long as this object lives.
class HostEnds : public ipam::HostEnds {
 public:
  HostEnds(Host& host, const cni::Request& request, const NetConf& config);

  std::string home() const override { return host_.netns.identity(); }
  std::string name_of(const cni::Attachment& owner) const override;
  std::vector<bool> exist(std::span<const Suspect> suspects) override;
  std::vector<ipam::Holding> holdings() override;

  // The living attachments of every network, each with an address that the host has its route to, or had (of this network
  // only).
  struct Attached {
    Owner owner;
    IpAddress address;
    bool is_routed;
  };
  std::vector<Attached> attached();

  // The attachment's end: found by name, else by alias (a dump), as it may have been renamed. A pair without
  // an alias belongs to an ADD that was killed, or has not set it yet.
  std::optional<netlink::Link> find(const cni::Attachment& owner);
  // The interface that has its name, whatever it is: never a dump.
  std::optional<netlink::Link> find_by_name(const cni::Attachment& owner);
  // All of this network, each with its alias, and unfinished ones.
  std::vector<netlink::Link> list();
  // The attachment of this network that the link's alias names.
  std::optional<cni::Attachment> owner_of(const netlink::Link& link) const;
  bool is_of(const netlink::Link& link, const cni::Attachment& owner) const;
  // Removes the end of an attachment whose sandbox has died, a little before the kernel does. False: it
  // lives.
  bool remove_if_dead(const netlink::Link& link);
  // A pair that an ADD of this network has created, and that has no alias yet.
  bool is_unfinished(const netlink::Link& link) const;

 private:
  Host& host_;
  std::string network_;
  std::string prefix_;
  std::vector<ipam::RangeSet> range_sets_;  // of our own IPAM
};

}  // namespace onlink::plugin
