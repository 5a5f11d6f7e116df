// SPDX-License-Identifier: Apache-2.0
#include "plugin/config.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <tuple>
#include <utility>

#include "base/json_reader.h"
#include "cni/annotations.h"
#include "cni/names.h"
#include "plugin/delegate.h"

namespace onlink::plugin {
namespace {

// The smallest MTU that IPv4 allows (RFC 791), and the largest that a veth takes.
constexpr std::int64_t lowest_mtu = 68;
constexpr std::int64_t highest_mtu = 65535;

const MacAddress calico_mac{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
const IpAddress calico_gateway = IpAddress::from_number(IpFamily::v4, 0xa9fe0101);  // 169.254.1.1

void read_mtu(const JsonReader& reader, NetConf& config) {
  const auto mtu = reader.integer("mtu", 0, highest_mtu);
  if (!mtu || *mtu == 0) return;
  if (*mtu < lowest_mtu)
    reader.problem("mtu", fmt::format("must be 0 (automatic) or at least {}, not {}", lowest_mtu, *mtu));
  config.mtu = static_cast<std::uint32_t>(*mtu);
}

void read_host_end(const JsonReader& reader, NetConf& config) {
  config.host_mac = reader.mac("hostMAC").value_or(calico_mac);
  if (config.host_mac.is_multicast() || config.host_mac.is_zero())
    reader.problem("hostMAC", "must be a unicast address, not " + config.host_mac.to_string());
  config.gateway4 = reader.address("gateway4", IpFamily::v4).value_or(calico_gateway);
  config.gateway6 = reader.address("gateway6", IpFamily::v6).value_or(config.host_mac.link_local());
  for (const char* key : {"gateway4", "gateway6"})
    if (const auto& gateway = key[7] == '4' ? config.gateway4 : config.gateway6;
        const auto* block = gateway.is_link_local() ? nullptr : unusable_block(gateway, gateway))
      reader.problem(key, fmt::format("{} is of {} ({}), and no gateway can have it", gateway.to_string(),
                                      block->block, block->why));

  const std::string neighbour = reader.text("hostNeighbour").value_or("permanent");
  if (neighbour != "permanent" && neighbour != "learned")
    reader.problem("hostNeighbour",
                   fmt::format("must be \"permanent\" or \"learned\", not \"{}\"", neighbour));
  config.host_neighbour_learned = neighbour == "learned";

  const std::string prefix = reader.text("hostInterfacePrefix").value_or("onl");
  const bool fits =
      !prefix.empty() && prefix.size() <= 4 && std::all_of(prefix.begin(), prefix.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
      });
  if (fits)
    config.host_interface_prefix = prefix;
  else
    reader.problem("hostInterfacePrefix",
                   fmt::format("must be 1 to 4 letters, digits, '-' or '_', not \"{}\"", prefix));
}

// runtimeConfig.dns has the kubelet's names for the same things (CONVENTIONS.md, "dns").
cni::Dns read_runtime_dns(const JsonReader& reader) {
  return {reader.texts("servers"), "", reader.texts("searches"), reader.texts("options")};
}

void read_log(const JsonReader& reader, NetConf& config) {
  const std::string file = reader.text("file").value_or("");
  if (file.empty() || file.front() == '/')
    config.log_file = file;
  else
    reader.problem("file", fmt::format("must be an absolute path, not \"{}\"", file));
  const std::string level = reader.text("level").value_or("info");
  if (level == "error")
    config.log_level = LogLevel::error;
  else if (level == "info")
    config.log_level = LogLevel::info;
  else if (level == "debug")
    config.log_level = LogLevel::debug;
  else
    reader.problem("level", fmt::format("must be \"error\", \"info\" or \"debug\", not \"{}\"", level));
}

void read_requested_mac(const cni::Request& request, const JsonReader& reader, Problems& problems,
                        NetConf& config) {
  const auto from_runtime = reader.child("runtimeConfig").mac("mac");
  const auto from_args = reader.child("args").child("cni").mac("mac");
  const auto from_pod = cni::annotated_mac(cni::pod_annotations(reader));
  config.mac = from_runtime ? from_runtime : from_pod ? from_pod : from_args;
  if (const auto found = request.args.find("MAC"); found != request.args.end()) {
    if (!config.mac) config.mac = MacAddress::parse(found->second);
  }
  if (config.mac && (config.mac->is_multicast() || config.mac->is_zero()))
    problems.add("mac", "the container's must be a unicast address, not " + config.mac->to_string());
}

// Unknown CNI_ARGS keys are an error unless the caller says otherwise, as in libcni's LoadArgs.
void check_args(const cni::Request& request) {
  if (const auto mac = request.args.find("MAC"); mac != request.args.end() && !MacAddress::parse(mac->second))
    throw Failure(FailureKind::environment,
                  fmt::format("CNI_ARGS: MAC: \"{}\" is not a MAC address", mac->second));
  constexpr std::array known = {"IP",
                                "GATEWAY",
                                "MAC",
                                "IgnoreUnknown",
                                "K8S_POD_NAMESPACE",
                                "K8S_POD_NAME",
                                "K8S_POD_INFRA_CONTAINER_ID",
                                "K8S_POD_UID"};
  if (const auto ignore = request.args.find("IgnoreUnknown"); ignore != request.args.end()) {
    const std::string& value = ignore->second;
    if (value == "1" || value == "true" || value == "True" || value == "TRUE") return;
  }
  for (const auto& [key, value] : request.args)
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Failure(FailureKind::environment,
                    fmt::format("CNI_ARGS: unknown key \"{}\" (IgnoreUnknown=1 accepts it)", key));
}

// The keys of the specification, of its conventions, and ours. libcni's own begin with "cni.dev/".
void remark_unknown_keys(const JsonReader& reader, const JsonReader& ipam, NetConf& config) {
  constexpr std::string_view keys[] = {"cniVersion",
                                       "name",
                                       "type",
                                       "args",
                                       "capabilities",
                                       "runtimeConfig",
                                       "prevResult",
                                       "ipam",
                                       "dns",
                                       "mtu",
                                       "hostMAC",
                                       "hostInterfacePrefix",
                                       "hostNeighbour",
                                       "isDefaultGateway",
                                       "gateway4",
                                       "gateway6",
                                       "ipForward",
                                       "ipMasq",
                                       "log"};
  constexpr std::string_view log_keys[] = {"file", "level"};
  std::vector<std::string> unknown = reader.unknown_keys(keys);
  const auto also = [&](std::vector<std::string> more) {
    unknown.insert(unknown.end(), more.begin(), more.end());
  };
  also(reader.child("log").unknown_keys(log_keys));
  if (config.ipam) also(ipam.unknown_keys(ipam::keys));
  for (const std::string& key : unknown)
    if (!key.starts_with("cni.dev/"))
      config.remarks.push_back(fmt::format("unknown key {}: ignored", dump_json(key)));
}

// The kernel refuses the second of two routes with one key.
void check_routes(const std::vector<cni::Route>& routes, Problems& problems) {
  std::set<std::tuple<IpPrefix, std::uint32_t, std::uint32_t>> seen;
  for (const cni::Route& route : routes) {
    const std::uint32_t table = route.table.value_or(0);
    std::uint32_t priority = route.priority.value_or(0);
    if (priority == 0 && !route.dst.address.is_v4()) priority = 1024;  // IP6_RT_PRIO_USER
    if (!seen.emplace(route.dst.network(), table != 0 ? table : RT_TABLE_MAIN, priority).second)
      problems.add("ipam.routes",
                   fmt::format("{} is there twice, with the same table and priority", route.dst.to_string()));
  }
}

// What a lease of these ranges could not be used with.
void check_families(const NetConf& config, Problems& problems) {
  const auto& sets = config.ipam->range_sets;
  const auto has = [&](IpFamily family) {
    return std::any_of(sets.begin(), sets.end(),
                       [&](const ipam::RangeSet& set) { return set.family() == family; });
  };
  if (sets.empty()) return;
  for (const cni::Route& route : config.ipam->routes)
    if (!has(route.dst.family()))
      problems.add("ipam.routes", fmt::format("{} is of a family that no range has", route.dst.to_string()));
  if (config.mtu && *config.mtu < lowest_ipv6_mtu && has(IpFamily::v6))
    problems.add("mtu", fmt::format("{} is less than the {} that IPv6 needs (RFC 8200)", *config.mtu,
                                    lowest_ipv6_mtu));
}

void read_own_ipam(const cni::Request& request, Parsed& parsed) {
  NetConf& config = parsed.config;
  config.ipam = ipam::parse_config(request, parsed.ipam_problems);
  config.run_dir = config.ipam->run_dir;
  check_routes(config.ipam->routes, parsed.ipam_problems);
  check_families(config, parsed.ipam_problems);
  for (const ipam::RangeSet& set : config.ipam->range_sets)
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6})
      if (const IpAddress& gateway = config.gateway(family); set.find(gateway) != nullptr)
        parsed.ipam_problems.add(
            "ipam.ranges",
            fmt::format("{} would be given to a container, and is the gateway of all", gateway.to_string()));
}

void read_ipam(const cni::Request& request, Parsed& parsed) {
  NetConf& config = parsed.config;
  const JsonReader ipam = JsonReader(request.config, parsed.ipam_problems).child("ipam");
  config.ipam_type = ipam.text("type").value_or("");
  // A path would run any program of the host (CVE-2021-20206).
  if (config.ipam_type.empty())
    ipam.problem("type", "must name an IPAM plugin, for example \"onlink-ipam\"");
  else if (const auto problem = cni::problem_of_plugin_type(config.ipam_type))
    ipam.problem("type", *problem);
  else if (config.ipam_type == "onlink-ipam")
    read_own_ipam(request, parsed);
}

}  // namespace

Parsed read_config(const cni::Request& request) {
  if (::getenv(delegated_by) != nullptr)
    throw Failure(FailureKind::configuration,
                  "ipam.type: names a main plugin, onlink itself, not an IPAM plugin");
  Parsed parsed;
  NetConf& config = parsed.config;
  const JsonReader reader(request.config, parsed.problems);
  read_mtu(reader, config);
  read_host_end(reader, config);
  read_requested_mac(request, reader, parsed.problems, config);
  config.is_default_gateway = reader.boolean("isDefaultGateway");
  config.ip_forward = reader.boolean("ipForward").value_or(true);
  config.ip_masq = reader.boolean("ipMasq").value_or(false);
  config.dns = read_runtime_dns(reader.child("runtimeConfig").child("dns"));
  if (config.dns.empty()) config.dns = cni::read_dns(reader.child("dns"));
  read_log(reader.child("log"), config);
  read_ipam(request, parsed);
  remark_unknown_keys(reader, reader.child("ipam"), config);
  return parsed;
}

NetConf parse_config(const cni::Request& request) {
  check_args(request);
  Parsed parsed = read_config(request);
  for (const auto& problem : parsed.ipam_problems.list()) parsed.problems.add(problem);
  parsed.problems.throw_if_any(fmt::format("configuration of network {}", request.network));
  return std::move(parsed.config);
}

}  // namespace onlink::plugin
