// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/bird_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/file.h"
#include "node/cluster/cluster_file.h"
#include "node/sources/routes_source.h"

namespace onlink::node {
namespace {

// Names of nodes are only in comments and descriptions. BIRD's strings have no escapes.
std::string plain(std::string name) {
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == 0x7f; }, '?');
  return name;
}

std::string joined(const std::vector<std::string>& items) {
  return fmt::format("{}", fmt::join(items, ", "));
}

class Renderer {
 public:
  Renderer(const Cluster& cluster, const Bgp& bgp, std::uint32_t table)
      : cluster_(cluster), bgp_(bgp), table_(table) {}

  std::string render() {
    head();
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
      v4_ = family == IpFamily::v4;
      digit_ = v4_ ? '4' : '6';
      if (address_of(cluster_.self)) family_part();
    }
    return std::move(text_);
  }

 private:
  template <class... Values>
  void line(fmt::format_string<Values...> words, Values&&... values) {
    text_ += fmt::format(words, std::forward<Values>(values)...);
    text_ += '\n';
  }

  const std::optional<IpAddress>& address_of(const Node& node) const { return v4_ ? node.ipv4 : node.ipv6; }
  bool is_reflector(const Node& node) const {
    return std::find(bgp_.reflectors.begin(), bgp_.reflectors.end(), node.name) != bgp_.reflectors.end();
  }
  bool speaks_with(const Node& peer) const {
    return address_of(peer) && (bgp_.reflectors.empty() || is_reflector(peer) || is_reflector(cluster_.self));
  }
  std::vector<IpPrefix> of_family(const std::vector<IpPrefix>& prefixes) const {
    std::vector<IpPrefix> same;
    for (const IpPrefix& prefix : prefixes)
      if (prefix.address.is_v4() == v4_) same.push_back(prefix);
    return same;
  }

  // 32 bits that no other node should have: the IPv4 address, else the last 32 bits of the IPv6 address.
  std::string router_id() const {
    if (cluster_.self.ipv4) return cluster_.self.ipv4->to_string();
    return IpAddress::from_number(IpFamily::v4, cluster_.self.ipv6->number() & UINT32_MAX).to_string();
  }

  void head() {
    line("# Made by `onlink-node bird-config` for node {}, for BIRD 2.0.12 or later, or 3.2 or later.",
         plain(cluster_.self.name));
    line(
        "# Start it as `bird -R`: after a restart the routes in the kernel then stay until the others have "
        "sent");
    line("# theirs again.");
    line("log syslog all;");
    line("router id {};", router_id());
    // For peers that are away themselves. onlink-node keeps what is missing after that for longer.
    if (bgp_.restart_seconds > 0) line("graceful restart wait {};", std::min(bgp_.restart_seconds, 15u));
    line("protocol device {{ }}");
  }

  void family_part() {
    line("\nipv{0} table onlink{0};  # what this node announces and what it learns", digit_);
    line("ipv{0} table onlink_hops{0};  # how BIRD takes the other nodes to be reached", digit_);
    own_subnets();
    next_hops();
    peer_template();
    for (const Node& peer : cluster_.peers)
      if (speaks_with(peer)) session(peer);
    kernel_table();
  }

  // A static route inside BIRD: announced whatever routes the kernel has, and exported nowhere else.
  void own_subnets() {
    const auto own = of_family(cluster_.self.pod_cidrs);
    if (own.empty()) return;
    std::vector<std::string> refused;
    line("\nprotocol static onlink_own{} {{", digit_);
    line("  ipv{0} {{ table onlink{0}; }};", digit_);
    for (const IpPrefix& cidr : own) {
      line("  route {} blackhole;", cidr.to_string());
      refused.push_back(cidr.to_string() + "+");
      refused.push_back(cidr.to_string() + "-");
    }
    line("}}");
    line("# No one else's: whatever lies in our pod subnets, or covers them.");
    line("define onlink_ours{} = [ {} ];", digit_, joined(refused));
  }

  // BIRD would put the router on the way into the kernel's route, but we need the BGP next hop, however far it is. So
  // here all IPv4 next hops are on a link. IPv6 ones really must be: the kernel takes no IPv6 `onlink` gateway on lo.
  void next_hops() {
    line("");
    if (v4_) {
      line("protocol static onlink_reach4 {{");
      line("  ipv4 {{ table onlink_hops4; }};");
      line("  route 0.0.0.0/0 via \"lo\";");
      line("}}");
    } else {
      line("protocol direct onlink_reach6 {{");
      line("  ipv6 {{ table onlink_hops6; }};");
      line("  interface \"-onl*\", \"-tunl0\", \"-vxlan.onlink\", \"*\";");
      line("}}");
    }
  }

  void peer_template() {
    const bool reflects = is_reflector(cluster_.self);
    const bool announces = !of_family(cluster_.self.pod_cidrs).empty();
    line("\ntemplate bgp onlink_peer{} {{", digit_);
    line("  local {} as {};", address_of(cluster_.self)->to_string(), bgp_.as_number);
    line("  hold time 90;");
    line("  connect delay time 1;");
    line("  connect retry time 5;");
    line("  error wait time 1, 30;");
    if (!bgp_.password.empty()) line("  password \"{}\";", bgp_.password);
    if (bgp_.restart_seconds > 0) {
      line("  graceful restart on;");
      line("  graceful restart time {};", bgp_.restart_seconds);
    } else {
      line("  graceful restart off;");
    }
    if (reflects && bgp_.cluster_id) line("  rr cluster id {};", bgp_.cluster_id->to_string());
    line("  ipv{} {{", digit_);
    line("    table onlink{};", digit_);
    line("    igp table onlink_hops{};", digit_);
    line("    import none;");
    if (reflects)
      line("    export where {}source = RTS_BGP;",
           announces ? fmt::format("proto = \"onlink_own{}\" || ", digit_) : "");
    else if (announces)
      line("    export where proto = \"onlink_own{}\";", digit_);
    else
      line("    export none;");
    line("  }};");
    line("}}");
  }

  // What is accepted from a peer: the pod subnets that the file gives to it; from a reflector, those of all peers.
  std::vector<IpPrefix> believed_from(const Node& peer) const {
    if (!bgp_.prefixes.empty()) return of_family(bgp_.prefixes);
    if (bgp_.reflectors.empty() || !is_reflector(peer)) return of_family(peer.pod_cidrs);
    std::vector<IpPrefix> all;
    for (const Node& node : cluster_.peers)
      for (const IpPrefix& cidr : of_family(node.pod_cidrs)) all.push_back(cidr);
    return all;
  }

  void session(const Node& peer) {
    const IpAddress& address = *address_of(peer);
    std::string name = address.to_string();
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '.' || c == ':'; }, '_');
    line("protocol bgp onlink{}_{} from onlink_peer{} {{", digit_, name, digit_);
    line("  description \"{}\";", plain(peer.name));
    line("  neighbor {} as {};", address.to_string(), bgp_.as_number);
    if (is_reflector(cluster_.self) && !is_reflector(peer)) line("  rr client;");
    std::vector<std::string> believed;
    for (const IpPrefix& prefix : believed_from(peer)) believed.push_back(prefix.to_string() + "+");
    const bool guarded = !of_family(cluster_.self.pod_cidrs).empty();
    if (!believed.empty())
      line("  ipv{} {{ import where net ~ [ {} ]{}; }};", digit_, joined(believed),
           guarded ? fmt::format(" && net !~ onlink_ours{}", digit_) : "");
    line("}}");
  }

  // No packet is looked up in this table: onlink-node reads it. Its routes outlive a BIRD that dies.
  void kernel_table() {
    line("\nprotocol kernel onlink_kernel{} {{", digit_);
    line("  kernel table {};", table_);
    line("  persist;");
    if (bgp_.restart_seconds > 0) line("  graceful restart on;");
    line("  ipv{} {{", digit_);
    line("    table onlink{};", digit_);
    line("    import none;");
    line("    export filter {{");
    line("      if source != RTS_BGP || dest != RTD_UNICAST then reject;");
    if (v4_) {
      line("      ifname = \"lo\";  # is never down; no packet takes this route");
      line("      onlink = true;");
    }
    line("      gw = bgp_next_hop;");
    if (v4_) line("      onlink = true;  # BIRD 3 forgets it with a new gw; 3.0 and 3.1 do not know it here");
    line("      accept;");
    line("    }};");
    line("  }};");
    line("}}");
  }

  const Cluster& cluster_;
  const Bgp& bgp_;
  std::uint32_t table_;
  std::string text_;
  bool v4_ = true;
  char digit_ = '4';
};

void read_password(Bgp& bgp) {
  if (bgp.password_file.empty()) return;
  bgp.password = read_existing_file(bgp.password_file, 4096);
  if (bgp.password.ends_with('\n')) bgp.password.pop_back();
  check_password(bgp.password, bgp.password_file);
}

}  // namespace

std::string render_bird(const Cluster& cluster, const Bgp& bgp, std::uint32_t table) {
  return Renderer(cluster, bgp, table).render();
}

std::string render_bird(std::string_view text, std::string_view name, const std::string& node_name) {
  const ClusterFile file = parse_cluster_file(text, name, node_name);
  const nlohmann::json document = parse_unambiguous_json(text, name);
  Problems problems;
  const JsonReader reader(document, problems);
  if (!reader.has("bgp")) problems.add("bgp", "is missing: bird-config needs at least its asNumber");
  if (file.nodes.empty()) problems.add("nodes", "is missing: it names this node and those to speak with");
  problems.throw_if_any(name);
  std::vector<std::string> names;
  for (const PlacedNode& placed : file.nodes) names.push_back(placed.node.name);
  Bgp bgp = read_bgp(reader.child("bgp"), names);
  read_password(bgp);
  const std::uint32_t table = file.source.type == "routes"
                                  ? read_routes_settings(file.source.settings, name).table
                                  : default_routes_table;
  return render_bird(assemble(file.rules, file.nodes, node_name), bgp, table);
}

}  // namespace onlink::node
