// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/clean.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "base/add_once.h"
#include "base/failure.h"
#include "netlink/forwarding.h"
#include "netlink/route_key.h"
#include "netlink/sysctl.h"
#include "node/journal.h"
#include "node/routes/apply.h"
#include "node/routes/diff.h"
#include "node/rules/firewall.h"
#include "node/service_state.h"
#include "node/sources/kubernetes/conflist.h"
#include "node/state.h"

namespace onlink::node {
namespace {

class Cleaner {
 public:
  Cleaner(const Directories& directories, const std::string& node_name)
      : directories_(directories), socket_(netlink::Socket::open()) {
    attempt([&] { state_ = load_run_state(directories); });
    if (state_.before) return;
    // What was before is not known: then our address is what the last list says.
    std::string ignored;
    const auto last = load_last_good(directories, node_name, ignored);
    const auto address = last ? tunnel_address(last->self) : std::nullopt;
    if (address) add_once(state_.own_addresses, IpPrefix::host(*address));
  }

  Cleaned clean() {
    attempt([&] { remove_conflist(); });  // no new pods
    attempt([&] { remove_routes(); });
    attempt([&] { restore_tunnel(); });
    attempt([&] { remove_rules(); });  // not before the devices on which packets could arrive
    attempt([&] { restore_forwarding(); });
    if (!result_.failures.empty()) return std::move(result_);  // the next run needs the saved state
    attempt([&] { remove_files(); });
    return std::move(result_);
  }

 private:
  void attempt(const std::function<void()>& step) {
    try {
      step();
    } catch (const Failure& failure) {
      result_.failures.emplace_back(failure.what());
    }
  }

  void remove_conflist() {
    const std::string path = node::remove_conflist(directories_);
    if (!path.empty()) result_.done.push_back("rm " + path);
  }

  void remove_rules() {
    if (Firewall::remove("onlink")) result_.done.emplace_back("nft delete table inet onlink");
  }

  void remove_routes() {
    Host host = read_host(socket_, {});
    Changes changes = diff({}, host, {own_addresses(host), true});
    for (const std::string& line : commands(changes, host)) result_.done.push_back(line);
    for (const Applied& applied :
         {apply_routes(socket_, changes, host), apply_removals(socket_, changes, host)})
      result_.failures.insert(result_.failures.end(), applied.failures.begin(), applied.failures.end());
  }

  // Those that we know of, and those that our routes name: the saved state may be lost.
  std::vector<IpPrefix> own_addresses(const Host& host) const {
    std::vector<IpPrefix> own = state_.own_addresses;
    for (const netlink::Route& route : host.routes) {
      if (!host.is_tunnel(route.link) || !route.source) continue;
      add_once(own, IpPrefix::host(*route.source));
    }
    return own;
  }

  std::optional<netlink::Link> find_tunnel() {
    Host host;
    read_tunnel(socket_, {}, host);
    return host.tunl0;
  }

  void restore_tunnel() {
    const auto link = find_tunnel();
    if (!state_.before || !link || link->kind != "ipip") return;
    const Before& before = *state_.before;
    const netlink::IpipSettings now = link->ipip.value_or(netlink::IpipSettings{});
    if (!before.tunnel) {
      result_.left.push_back(
          fmt::format("{} stays: it belongs to the module ipip and goes with it", link->name));
      return set_down(*link);
    }
    if (now.ttl != before.tunnel_ttl || now.pmtudisc != before.tunnel_pmtudisc) {
      netlink::change_ipip(link->name, before.tunnel_ttl, before.tunnel_pmtudisc);
      result_.done.push_back(
          fmt::format("ip tunnel change {} mode ipip ttl {} {}", link->name,
                      before.tunnel_ttl == 0 ? "inherit" : std::to_string(before.tunnel_ttl),
                      before.tunnel_pmtudisc ? "pmtudisc" : "nopmtudisc"));
    }
    if (link->mtu != before.tunnel_mtu) {
      socket_.execute(netlink::set_link_mtu(link->index, link->name, before.tunnel_mtu));
      result_.done.push_back(fmt::format("ip link set {} mtu {}", link->name, before.tunnel_mtu));
    }
    restore_rp_filter(rp_filter_setting(link->name));
    if (!before.tunnel_up) set_down(*link);
  }

  void restore_rp_filter(const std::string& setting) {
    const std::string before = std::to_string(state_.before->tunnel_rp_filter);
    if (before == "2" || netlink::read_sysctl(setting) != "2") return;
    netlink::write_sysctl(setting, before);
    result_.done.push_back("sysctl -w " + setting + "=" + before);
  }

  void set_down(const netlink::Link& link) {
    // If addresses were added meanwhile, the device serves somebody else, too.
    const auto& before = state_.before->tunnel_addresses;
    for (const netlink::Address& address : netlink::list_addresses(socket_, link.index))
      if (std::find(before.begin(), before.end(), address.prefix) == before.end()) {
        result_.left.push_back(fmt::format("{} stays up: it has {}", link.name, address.prefix.to_string()));
        return;
      }
    if (!link.up()) return;
    socket_.execute(netlink::set_link_down(link.index, link.name));
    result_.done.push_back(fmt::format("ip link set {} down", link.name));
  }

  void restore_forwarding() {
    if (!state_.before) return;
    const char* const need = who_needs_forwarding();
    restore(state_.before->forwarding_v4, need, "net/ipv4/ip_forward");
    restore(state_.before->forwarding_v6, need, "net/ipv6/conf/all/forwarding");
    if (netlink::read_sysctl("net/ipv6/conf/all/forwarding").value_or("0") == "0")
      for (const std::string& link : state_.accept_ra) restore_accept_ra(netlink::accept_ra_setting(link));
  }

  void restore_accept_ra(const std::string& setting) {
    if (netlink::read_sysctl(setting) != "2") return;  // gone, or somebody else's by now
    netlink::write_sysctl(setting, "1");
    result_.done.push_back("sysctl -w " + setting + "=1");
  }

  void restore(bool was_on, const char* need, const std::string& setting) {
    if (was_on || netlink::read_sysctl(setting).value_or("0") == "0") return;
    if (need != nullptr) {
      result_.left.push_back(fmt::format("{} stays 1: {}", setting, need));
      return;
    }
    netlink::write_sysctl(setting, "0");
    result_.done.push_back("sysctl -w " + setting + "=0");
  }

  // Null: nobody. If this host has several networks, somebody else may rely on forwarding by now.
  const char* who_needs_forwarding() {
    const auto routes = netlink::list_routes(socket_, {.table = RT_TABLE_MAIN});
    if (std::any_of(routes.begin(), routes.end(), is_attachment_route))
      return "pods are attached to this host";
    const auto tunnel = find_tunnel();
    std::set<std::uint32_t> links;
    std::set<IpPrefix> networks;  // one interface often has several of IPv6
    for (const netlink::Address& address : netlink::list_addresses(socket_)) {
      if (address.scope != RT_SCOPE_UNIVERSE || (tunnel && address.link == tunnel->index)) continue;
      links.insert(address.link);
      if (address.prefix.address.is_v4() && !address.prefix.is_host())
        networks.insert(address.prefix.network());
    }
    // Other plugins' interfaces have no address, but routes.
    for (const netlink::Route& route : routes)
      if (route.type == RTN_UNICAST && route.link != 0 && !route.dst.address.is_link_local())
        links.insert(route.link);
    return std::max(links.size(), networks.size()) > 1 ? "this host has more than one network" : nullptr;
  }

  void remove_files() {
    publish_mtu(directories_, 0);
    publish_reserved(directories_, {});
    forget_last_good(directories_);
    forget_service_state(directories_);
    forget_journal(directories_);
    forget_run_state(directories_);
  }

  const Directories& directories_;
  netlink::Socket socket_;
  RunState state_;
  Cleaned result_;
};

}  // namespace

Cleaned clean(const Directories& directories, const std::string& node_name) {
  return Cleaner(directories, node_name).clean();
}

}  // namespace onlink::node
