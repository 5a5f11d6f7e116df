// SPDX-License-Identifier: Apache-2.0
// The host's side of the attachments: routes and neighbours that somebody has flushed, or that went with the
// interface when it was set down, come back. The plugin makes them; here they are only given back.
//
// What an end on the host has had while this looked on is what it gets again. Of one that never had anything
// since, the pod is asked, over its link and without going there. All in the network namespace of the socket.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/socket.h"

namespace onlink::node {

class PodRoutes {
 public:
  // Of links, addresses and routes: learns what the ends have, and notes which have lost something.
  void see(const nlmsghdr& message);
  bool due() const { return !due_.empty(); }

  // Looks at every end: at the start, now and then, and after notifications were
  // lost. An end without any route may be one whose ADD is at work; it is due when it is so twice.
  void look(netlink::Socket& socket);
  // Whether look() should come again soon.
  bool unsure() const { return !bare_.empty(); }

  // Gives back what those that are due have lost; what was done, and what could not be, in words.
  std::vector<std::string> mend(netlink::Socket& socket);

 private:
  struct End {
    std::set<IpAddress> pod;  // the routes' destinations
    std::set<IpPrefix> own;   // link-local addresses of the host's end
    bool down = false;
  };

  void mend(netlink::Socket& socket, const netlink::Link& link, std::vector<std::string>& done);

  std::map<std::uint32_t, End> ends_;  // by index
  std::set<std::uint32_t> due_;
  std::set<std::uint32_t> bare_;    // without any route when last looked at
  std::set<std::uint32_t> unseen_;  // the same twice: the pod is asked
};

}  // namespace onlink::node
