// SPDX-License-Identifier: Apache-2.0
#include "ipam/config.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/failure.h"
#include "base/file.h"
#include "base/text.h"
#include "cni/annotations.h"

namespace onlink::ipam {
namespace {

using nlohmann::json;

// The subnet, if addresses can come from it.
std::optional<IpPrefix> read_subnet(const JsonReader& reader, bool all_addresses) {
  const auto subnet = reader.required_prefix("subnet");
  if (subnet && subnet->has_host_bits())
    reader.problem("subnet",
                   fmt::format("Network has host bits set. For a subnet mask of length {} the network "
                               "address is {}",
                               subnet->length, subnet->network().address.to_string()));
  else if (subnet && !all_addresses && subnet->length > subnet->address.bits() - 2u)
    reader.problem("subnet",
                   fmt::format("Network {} too small to allocate from (unless ipam.useAllAddresses is "
                               "true)",
                               subnet->to_string()));
  else
    return subnet;
  return std::nullopt;
}

// host-local's defaults leave out the first address of a subnet, and the last where it is a broadcast
// address.
Range default_range(const IpPrefix& subnet, bool all_addresses) {
  if (all_addresses) return Range::whole(subnet);
  const IpAddress first = subnet.address.next();
  return {subnet, first, first.is_v4() ? subnet.last().previous() : subnet.last(), first};
}

std::optional<Range> read_range(const JsonReader& reader, bool all_addresses) {
  const auto subnet = read_subnet(reader, all_addresses);
  const auto start = reader.address_if_any("rangeStart");
  const auto end = reader.address_if_any("rangeEnd");
  const auto gateway = reader.address_if_any("gateway");
  if (!subnet) return std::nullopt;
  if (gateway) (void)reader.address("gateway", subnet->family());

  Range range = default_range(*subnet, all_addresses);
  if (gateway) range.gateway = *gateway;
  bool good = true;
  const auto check_inside = [&](const char* key, const char* name, const IpAddress& address) {
    if (subnet->contains(address)) return;
    reader.problem(key,
                   fmt::format("{} {} not in network {}", name, address.to_string(), subnet->to_string()));
    good = false;
  };
  if (start) check_inside("rangeStart", "RangeStart", range.start = *start);
  if (end) check_inside("rangeEnd", "RangeEnd", range.end = *end);
  if (good && range.end < range.start) {
    reader.problem(end ? "rangeEnd" : "rangeStart",
                   fmt::format("the range {} ends before it starts", range.to_string()));
    good = false;
  }
  if (const auto* block = good ? unusable_block(range.start, range.end) : nullptr) {
    reader.problem("subnet", fmt::format("the range {} has addresses of {} ({}), which no pod can use",
                                         range.to_string(), block->block, block->why));
    good = false;
  }
  return good ? std::optional(range) : std::nullopt;
}

void check_within_set(const RangeSet& set, const std::string& path, Problems& problems) {
  for (std::size_t i = 0; i < set.ranges.size(); ++i) {
    if (set.ranges[i].subnet.family() != set.family()) problems.add(path, "mixed address families");
    for (std::size_t k = i + 1; k < set.ranges.size(); ++k)
      if (set.ranges[i].overlaps(set.ranges[k]))
        problems.add(path, fmt::format("subnets {} and {} overlap", set.ranges[i].to_string(),
                                       set.ranges[k].to_string()));
  }
}

// An array of range sets, each an array of ranges.
void read_sets(const JsonReader& reader, std::string_view key, bool all_addresses, Problems& problems,
               std::vector<RangeSet>& sets) {
  const json* outer = reader.find(key);
  if (outer == nullptr) return;
  if (!outer->is_array()) return reader.problem(key, "must be an array of range sets");
  std::size_t count = 0;
  for (std::size_t i = 0; i < outer->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", reader.path(key), i);
    const json& inner = (*outer)[i];
    if (!inner.is_array() || inner.empty()) {
      problems.add(path, inner.is_array() ? "empty range set" : "must be an array of ranges");
      continue;
    }
    if (count += inner.size(); count > JsonReader::most_entries)
      return reader.problem(key, fmt::format("more than {} ranges", JsonReader::most_entries));
    RangeSet set;
    for (std::size_t k = 0; k < inner.size(); ++k)
      if (auto range =
              read_range(JsonReader(inner[k], problems, fmt::format("{}[{}]", path, k)), all_addresses))
        set.ranges.push_back(*range);
    check_within_set(set, path, problems);
    if (!set.ranges.empty()) sets.push_back(std::move(set));
  }
}

void check_sets(const std::vector<RangeSet>& sets, Problems& problems) {
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (std::size_t k = i + 1; k < sets.size(); ++k)
      if (sets[i].overlaps(sets[k]))
        problems.add("ipam.ranges", fmt::format("range set {} overlaps with {}", i, k));
}

std::vector<RangeSet> read_range_sets(const JsonReader& ipam, const JsonReader& runtime, Problems& problems) {
  const bool all_addresses = ipam.boolean("useAllAddresses").value_or(false);
  std::vector<RangeSet> sets;
  const bool told = runtime.has("ipRanges") || ipam.has("subnet") || ipam.has("ranges");
  read_sets(runtime, "ipRanges", all_addresses, problems, sets);
  if (ipam.has("subnet"))
    if (auto range = read_range(ipam, all_addresses)) sets.push_back({{*range}});
  read_sets(ipam, "ranges", all_addresses, problems, sets);
  if (sets.empty() && (!told || problems.empty())) problems.add("ipam.ranges", "no IP ranges specified");
  check_sets(sets, problems);
  return sets;
}

void add_requested(std::string_view path, std::string_view text, Config& config, Problems& problems) {
  if (text.empty()) return;  // host-local takes "" for no request
  auto address = IpAddress::parse(text);
  if (const auto prefix = IpPrefix::parse(text)) address = prefix->address;
  if (!address)
    problems.add(path,
                 fmt::format("must be an IP address, with or without a prefix length, not \"{}\"", text));
  else if (std::find(config.requested.begin(), config.requested.end(), *address) == config.requested.end())
    config.requested.push_back(*address);
}

// The name in a form that Kubernetes allows; empty for anything else.
std::string pod_name(const cni::Request& request) {
  std::string name;
  for (const char* key : {"K8S_POD_NAMESPACE", "K8S_POD_NAME"}) {
    const auto arg = request.args.find(key);
    constexpr std::size_t longest = 253;
    constexpr const char* allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    if (arg == request.args.end() || arg->second.empty() || arg->second.size() > longest ||
        arg->second.find_first_not_of(allowed) != std::string::npos)
      return "";
    name += (name.empty() ? "" : "/") + arg->second;
  }
  return name;
}

void read_requested(const cni::Request& request, const JsonReader& root, Config& config, Problems& problems) {
  if (const auto arg = request.args.find("IP"); arg != request.args.end())
    add_requested("CNI_ARGS IP", arg->second, config, problems);
  for (const JsonReader& reader : {root.child("args").child("cni"), root.child("runtimeConfig")})
    for (const std::string& text : reader.texts("ips"))
      add_requested(reader.path("ips"), text, config, problems);
  const JsonReader annotations = cni::pod_annotations(root);
  for (const std::string& text : cni::annotated_ips(annotations))
    add_requested(annotations.path(cni::ips_annotation), text, config, problems);
}

std::vector<cni::Route> read_routes(const JsonReader& ipam) {
  std::vector<cni::Route> routes;
  for (const JsonReader& reader : ipam.children("routes"))
    if (const auto route = cni::read_route(reader)) {
      if (route->gw) (void)reader.address("gw", route->dst.family());
      routes.push_back(*route);
    }
  return routes;
}

void read_exclude(const JsonReader& ipam, Config& config) {
  for (const std::string& text : ipam.texts("exclude")) {
    const auto address = IpAddress::parse(text);
    const auto prefix = address ? IpPrefix::host(*address) : IpPrefix::parse(text);
    if (prefix)
      config.exclude.push_back(prefix->network());
    else
      ipam.problem("exclude", fmt::format("must be addresses and subnets, not \"{}\"", text));
  }
}

void read_folder(const JsonReader& ipam, std::string_view key, std::string& folder) {
  const auto text = ipam.text(key);
  if (!text || text->empty()) return;  // host-local takes "" for its default
  if (text->front() != '/') ipam.problem(key, fmt::format("must be an absolute path, not \"{}\"", *text));
  folder = *text;
}

// Before 0.3.0 a result had one address of each family.
void check_number(const cni::Version& version, const std::vector<RangeSet>& sets, Problems& problems) {
  const auto v4 = std::count_if(sets.begin(), sets.end(),
                                [](const RangeSet& set) { return set.family() == IpFamily::v4; });
  if (version < cni::Version{0, 3, 0} && (v4 > 1 || static_cast<std::ptrdiff_t>(sets.size()) - v4 > 1))
    problems.add("ipam.ranges", fmt::format("CNI version {} does not support more than 1 address per family",
                                            version.to_string()));
}

}  // namespace

Config parse_config(const cni::Request& request, Problems& problems) {
  Config config;
  config.network = request.network;
  const JsonReader root(request.config, problems);
  const JsonReader ipam = root.child("ipam");
  read_folder(ipam, "dataDir", config.data_dir);
  read_folder(ipam, "runDir", config.run_dir);
  if (const auto seconds = ipam.integer("cooldown", 0, UINT32_MAX))
    config.cooldown = std::chrono::seconds(*seconds);
  if (request.command == cni::Command::del || request.command == cni::Command::gc) return config;

  if (!root.has("ipam")) {
    problems.add("ipam", "IPAM config missing 'ipam' key");
    return config;
  }
  config.range_sets = read_range_sets(ipam, root.child("runtimeConfig"), problems);
  check_number(request.version, config.range_sets, problems);
  read_requested(request, root, config, problems);
  config.pod = pod_name(request);
  config.routes = read_routes(ipam);
  read_exclude(ipam, config);
  config.resolv_conf = ipam.text("resolvConf").value_or("");
  return config;
}

Config parse_config(const cni::Request& request) {
  Problems problems;
  Config config = parse_config(request, problems);
  problems.throw_if_any("configuration of network " + request.network);
  return config;
}

Config with_reserved(Config config) {
  const std::string path = config.run_dir + "/reserved";
  std::string text;
  try {
    text = read_file(AT_FDCWD, path).value_or("");
  } catch (const Failure& failure) {
    // Nobody can have written it (ENOTDIR), or the user of a preview may not look there (EACCES).
    if (failure.error() != ENOTDIR && failure.error() != EACCES) throw;
  }
  for (const std::string_view line : split(text, "\n")) {
    const auto address = IpAddress::parse(line);
    if (!address) throw Failure(fmt::format("{}: must hold addresses, not \"{}\"", path, line.substr(0, 40)));
    config.reserved.push_back(*address);
  }
  return config;
}

}  // namespace onlink::ipam
