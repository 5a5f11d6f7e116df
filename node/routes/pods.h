// SPDX-License-Identifier: Apache-2.0
// The host's side of the attachments: restores routes and neighbours that somebody has flushed, or that went when the
// interface was set down. The plugin makes them; here they are only given back.
//
// A host end gets back what it was seen with. For one that was never seen with a route, the pod's addresses are read
// over its link, without entering the pod. All in the network namespace of the socket.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/neighbour.h"
#include "netlink/route.h"
#include "netlink/socket.h"

namespace onlink::node {

class PodRoutes {
 public:
  // For links, addresses, routes and neighbours: learns what the ends have, and notes which have lost something.
  void see(const nlmsghdr& message);
  bool due() const { return !due_.empty(); }

  // Looks at every end: at the start, at each resync, and after lost notifications. An ADD may still be at work on an
  // end without any route, so such an end is due only when it is seen twice.
  void look(netlink::Socket& socket);
  // Whether look() should come again soon.
  bool unsure() const { return !bare_.empty(); }

  // Gives back what the due ends have lost. Returns what was done, and what could not be done, in words.
  std::vector<std::string> mend(netlink::Socket& socket);

 private:
  struct End {
    std::set<IpAddress> pod;    // the routes' destinations
    std::set<IpAddress> known;  // those of them that are permanent neighbours
    std::set<IpAddress> taken;  // those of them that somebody else has a route to, which was said
    std::set<IpPrefix> own;     // link-local addresses of the host's end
    bool down = false;
  };

  void see_route(const netlink::Route& route, bool is_new);
  void see_neighbour(const netlink::Neighbour& neighbour, bool is_new);
  void mend(netlink::Socket& socket, const netlink::Link& link, std::vector<std::string>& done);
  static void mend_route(netlink::Socket& socket, const netlink::Link& link, const IpAddress& address,
                         End& end, std::vector<std::string>& done);

  std::map<std::uint32_t, End> ends_;  // by index
  std::set<std::uint32_t> due_;
  std::set<std::uint32_t> bare_;    // without any route at the last look
  std::set<std::uint32_t> unseen_;  // at the last two looks: the pod's addresses are read
};

}  // namespace onlink::node
