// SPDX-License-Identifier: Apache-2.0
// The host's ends of a network's attachments, as the kernel has them: who is attached.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni/request.h"
#include "ipam/host_ends.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "plugin/config.h"
#include "plugin/identity.h"

namespace onlink::plugin {

// The socket is of the host's namespace, and stays where it is as long as this.
class HostEnds : public ipam::HostEnds {
 public:
  HostEnds(netlink::Socket& socket, const cni::Request& request, const NetConf& config);

  std::string home() const override { return socket_.netns().identity(); }
  std::string name_of(const cni::Attachment& owner) const override;
  std::vector<bool> exist(std::span<const Suspect> suspects) override;
  std::vector<ipam::Holding> holdings() override;

  // The living attachments of every network, each with an address that the host has its route to.
  struct Attached {
    Owner owner;
    IpAddress address;
  };
  std::vector<Attached> attached();

  // That of the attachment: by its name, and where it has not got that (any more), by its alias: a dump. A
  // pair without an alias is of an ADD that was killed, or has not come so far.
  std::optional<netlink::Link> find(const cni::Attachment& owner);
  // The same by name only: never a dump.
  std::optional<netlink::Link> find_by_name(const cni::Attachment& owner);
  // All that there are, each with its alias, and unfinished ones.
  std::vector<netlink::Link> list();
  // The attachment of this network that the link's alias names.
  std::optional<cni::Attachment> owner_of(const netlink::Link& link) const;
  bool is_of(const netlink::Link& link, const cni::Attachment& owner) const;
  // Takes the end of an attachment away whose sandbox has died, a little before the kernel does. False: it
  // lives.
  bool remove_if_dead(const netlink::Link& link);
  // A pair that an ADD of this network has made, and that has no alias yet.
  bool is_unfinished(const netlink::Link& link) const;

 private:
  netlink::Socket& socket_;
  std::string network_;
  std::string prefix_;
};

}  // namespace onlink::plugin
