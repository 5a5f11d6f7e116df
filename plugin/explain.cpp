// SPDX-License-Identifier: Apache-2.0
#include "plugin/explain.h"

#include <fmt/format.h>
#include <linux/if_addr.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace onlink::plugin {
namespace {

std::string quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '-' || c == '_' || c == ':' || c == '=';
  });
  if (plain) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

const char* family_option(IpFamily family) { return family == IpFamily::v4 ? "" : " -6"; }

// Collects the commands of one side; `enter` precedes each.
class Script {
 public:
  Script(std::string& text, std::string enter) : text_(text), enter_(std::move(enter)) {}

  void line(const std::string& command) { text_.append(enter_).append(command).append("\n"); }

  void sysctls(const std::vector<Sysctl>& sysctls) {
    for (const auto& [name, value] : sysctls)
      line(fmt::format("sysctl -qw {}", quoted(fmt::format("{}={}", name, value))));
  }

  void addresses(const End& end) {
    for (const auto& address : end.addresses) {
      const bool v4 = address.prefix.address.is_v4();
      line(fmt::format("ip{} addr add {} dev {}{}{}{}", family_option(address.prefix.family()),
                       address.prefix.to_string(), quoted(end.name),
                       address.scope == RT_SCOPE_LINK ? " scope link" : "", v4 ? "" : " nodad",
                       (address.flags & IFA_F_NOPREFIXROUTE) != 0 ? " noprefixroute" : ""));
    }
  }

  void route(netlink::Route route, netlink::RouteMode mode, const std::string& link_name) {
    route.link = 1;  // any number: it makes "dev" appear
    line(fmt::format("ip{} route {} {}", family_option(route.dst.family()),
                     mode == netlink::RouteMode::append ? "append" : "add",
                     netlink::to_string(route, quoted(link_name))));
  }

  void neighbours(const End& end) {
    for (const auto& neighbour : end.neighbours)
      line(neighbour.state == NUD_NONE
               ? fmt::format("ip neigh replace {} dev {} nud none extern_learn",
                             neighbour.address.to_string(), quoted(end.name))
               : fmt::format("ip neigh replace {} lladdr {} dev {} nud permanent",
                             neighbour.address.to_string(), neighbour.mac.to_string(), quoted(end.name)));
  }

 private:
  std::string& text_;
  std::string enter_;
};

}  // namespace

std::string explain(const AttachmentPlan& plan) {
  std::string text = "# host: forwarding, and the pair of interfaces\n";
  Script host(text, "");
  Script container(text, fmt::format("nsenter --net={} ", quoted(plan.netns)));
  const std::string name = quoted(plan.host.name);
  const std::string pod_name = quoted(plan.container.name);
  if (plan.sets_host_sysctls) host.sysctls(plan.host_sysctls);
  host.line(fmt::format("ip link add {} address {} mtu {} type veth peer name {} address {} mtu {} netns {}",
                        name, plan.host.mac.to_string(), plan.mtu, pod_name, plan.container.mac.to_string(),
                        plan.mtu, quoted(plan.netns)));
  text += "# host: its end of the pair\n";
  host.line(fmt::format("ip link set {} alias {}", name, quoted(plan.host.settings.alias)));
  for (const auto& [devconf, value] : plan.host.settings.ipv4)
    host.line(
        fmt::format("sysctl -qw net/ipv4/conf/{}/{}={}", name, netlink::ipv4_setting_name(devconf), value));
  host.line(fmt::format("sysctl -qw net/ipv4/neigh/{}/proxy_delay=0", name));
  if (plan.host.settings.manual_link_local) host.line(fmt::format("ip link set {} addrgenmode none", name));
  host.sysctls(plan.host.sysctls);
  host.addresses(plan.host);
  host.line(fmt::format("ip link set {} up", name));
  text += "# container: address, then the way out\n";
  container.sysctls(plan.container.sysctls);
  container.line("ip link set lo up");
  container.addresses(plan.container);
  container.line(fmt::format("ip link set {} up", pod_name));
  for (const auto& route : plan.container.routes)
    container.route(route, container_route_mode(route), plan.container.name);
  container.neighbours(plan.container);
  text += "# host: rules that all attachments share\n";
  for (const nft::Ruleset& ruleset : plan.rules.wanted())
    host.line(fmt::format("nft -f - <<'EOF'\n{}EOF", nft::print_table(ruleset)));
  text += "# host: the way to the container\n";
  host.neighbours(plan.host);
  for (const auto& route : plan.host.routes) host.route(route, netlink::RouteMode::create, name);
  return text;
}

}  // namespace onlink::plugin
