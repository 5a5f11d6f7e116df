// SPDX-License-Identifier: Apache-2.0
// The host's side of the attachments: restores routes and neighbours that somebody has flushed, replaced or doubled, or
// that went when the interface was set down, and the settings without which packets do not pass or pods could harm the
// host. The plugin makes them; here they are only given back.
//
// An end gets back what the host saw it with. A pod may give itself any address, and anybody may lead a route of ours to
// any end: so where more than one end could have an address, its neighbour and the pods tell whose it is. Pods are asked over
// their links, without entering them. All in the network namespace of the socket.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <optional>
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
  // For links, addresses, routes, neighbours and settings: learns what the ends have, and notes which may have lost
  // something.
  void see(const nlmsghdr& message);
  bool due() const { return !due_.empty(); }

  // Looks at every end: at the start, at each resync, and after lost notifications. An ADD may still be at work on an
  // end without any route, so such an end is due only when it is seen twice.
  void look(netlink::Socket& socket);
  // Whether look() should come again soon.
  bool unsure() const { return !bare_.empty(); }

  // Gives back what the due ends have lost. Returns what was done, in words.
  std::vector<std::string> mend(netlink::Socket& socket);
  // Whether something could not be given back. It is tried again when something happens to the interface, and here.
  bool failing() const { return !failing_.empty(); }
  void try_again() { due_.insert(failing_.begin(), failing_.end()); }
  // What that is, and why.
  std::vector<std::string> failures() const;

 private:
  // A neighbour as ADD makes it: permanent, or without a MAC and learned externally ("hostNeighbour": "learned").
  struct Entry {
    bool learned = false;
    MacAddress mac = {};
  };
  struct End {
    // It is a host end. Of other interfaces only `own` is kept, for they may become one.
    bool is_pods = false;
    std::set<IpAddress> pod;  // the routes' destinations
    std::map<IpAddress, Entry> entries;
    std::set<IpPrefix> own;          // link-local addresses of the host's end
    std::set<std::string> failures;  // what could not be done the last time
    bool down = false;
  };
  // Why an address may be an end's.
  struct Claim {
    bool remembered = false;
    bool neighbour = false;  // there is or was one
    bool route = false;
  };
  using Claims = std::map<IpAddress, std::map<std::uint32_t, Claim>>;  // by end
  // What the host has now.
  struct Host {
    std::map<IpAddress, std::vector<netlink::Route>> routes;  // ours, of an attachment's shape
    std::map<std::uint32_t, std::map<IpAddress, netlink::Neighbour>> neighbours;
    std::map<std::uint32_t, std::map<IpPrefix, std::uint32_t>> own;  // with their IFA_F_*
  };
  struct Work;

  void see_settings(const nlmsghdr& message);
  void see_link(const netlink::Link& link, bool is_new);
  void see_address(const netlink::Address& address, bool is_new);
  void see_route(const netlink::Route& route, bool is_new);
  void see_neighbour(const netlink::Neighbour& neighbour, bool is_new);
  void try_again_on(std::uint32_t link);

  static Host read(netlink::Socket& socket);
  static Claims claims(const Host& host, const std::map<std::uint32_t, End>& ends);
  void mend(netlink::Socket& socket, std::uint32_t index, std::optional<Host>& host,
            std::vector<std::string>& done);
  static void mend_address(Work& work, const IpAddress& address);
  static void mend_neighbour(Work& work, const IpAddress& address, bool has_route);
  static void mend_route(Work& work, const netlink::Route& wanted);

  std::map<std::uint32_t, End> ends_;  // by index
  std::set<std::uint32_t> due_;
  std::set<std::uint32_t> failing_;
  std::set<std::uint32_t> bare_;  // without any claim at the last look
};

}  // namespace onlink::node
