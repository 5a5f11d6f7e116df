// SPDX-License-Identifier: Apache-2.0
#include "ipam/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace onlink::ipam {
namespace {

using nlohmann::json;

constexpr std::int64_t u32_max = UINT32_MAX;

struct Defaults {
  bool use_all_addresses;
};

IpAddress after(const IpAddress& address) {
  return IpAddress::from_number(address.family(), address.number() + 1);
}
IpAddress before(const IpAddress& address) {
  return IpAddress::from_number(address.family(), address.number() - 1);
}

// The subnet, if it is one that addresses can come from.
std::optional<IpPrefix> read_subnet(const JsonReader& reader, const Defaults& defaults) {
  const auto subnet = reader.prefix("subnet");
  if (!subnet) {
    if (!reader.has("subnet")) reader.problem("subnet", "is missing");
    return std::nullopt;
  }
  if (subnet->has_host_bits()) {
    reader.problem("subnet",
                   fmt::format("Network has host bits set. For a subnet mask of length {} the network "
                               "address is {}",
                               subnet->length, subnet->network().address.to_string()));
    return std::nullopt;
  }
  if (!defaults.use_all_addresses && subnet->length > subnet->address.bits() - 2u) {
    reader.problem("subnet",
                   fmt::format("Network {} too small to allocate from (unless ipam.useAllAddresses is "
                               "true)",
                               subnet->to_string()));
    return std::nullopt;
  }
  return subnet;
}

// host-local's defaults leave out the first address of a subnet, and the last where it is a broadcast
// address.
Range default_range(const IpPrefix& subnet, const Defaults& defaults) {
  if (defaults.use_all_addresses) return {subnet, subnet.address, subnet.last(), std::nullopt};
  const IpAddress first = after(subnet.address);
  return {subnet, first, first.is_v4() ? before(subnet.last()) : subnet.last(), first};
}

std::optional<Range> read_range(const JsonReader& reader, const Defaults& defaults) {
  const auto subnet = read_subnet(reader, defaults);
  const auto start = reader.address("rangeStart");
  const auto end = reader.address("rangeEnd");
  const auto gateway = subnet ? reader.address("gateway", subnet->family()) : reader.address("gateway");
  if (!subnet) return std::nullopt;

  Range range = default_range(*subnet, defaults);
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
void read_sets(const JsonReader& reader, std::string_view key, const Defaults& defaults, Problems& problems,
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
      if (auto range = read_range(JsonReader(inner[k], problems, fmt::format("{}[{}]", path, k)), defaults))
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
  const Defaults defaults{ipam.boolean("useAllAddresses").value_or(false)};
  std::vector<RangeSet> sets;
  const bool told = runtime.has("ipRanges") || ipam.has("subnet") || ipam.has("ranges");
  read_sets(runtime, "ipRanges", defaults, problems, sets);
  if (ipam.has("subnet"))
    if (auto range = read_range(ipam, defaults)) sets.push_back({{*range}});
  read_sets(ipam, "ranges", defaults, problems, sets);
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

void read_requested(const cni::Request& request, const JsonReader& root, Config& config, Problems& problems) {
  if (const auto arg = request.args.find("IP"); arg != request.args.end())
    add_requested("CNI_ARGS IP", arg->second, config, problems);
  for (const JsonReader& reader : {root.child("args").child("cni"), root.child("runtimeConfig")})
    for (const std::string& text : reader.texts("ips"))
      add_requested(reader.path("ips"), text, config, problems);
}

std::optional<std::uint32_t> read_u32(const JsonReader& reader, std::string_view key) {
  const auto value = reader.integer(key, 0, u32_max);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

std::vector<cni::Route> read_routes(const JsonReader& ipam) {
  std::vector<cni::Route> routes;
  for (const JsonReader& reader : ipam.children("routes")) {
    cni::Route route;
    const auto dst = reader.prefix("dst");
    if (dst)
      route.dst = *dst;
    else if (!reader.has("dst"))
      reader.problem("dst", "is missing");
    route.gw = dst ? reader.address("gw", dst->family()) : reader.address("gw");
    route.mtu = read_u32(reader, "mtu");
    route.advmss = read_u32(reader, "advmss");
    route.priority = read_u32(reader, "priority");
    route.table = read_u32(reader, "table");
    if (const auto scope = reader.integer("scope", 0, UINT8_MAX))
      route.scope = static_cast<std::uint8_t>(*scope);
    routes.push_back(route);
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
bool too_many_for(const cni::Version& version, const std::vector<RangeSet>& sets) {
  const auto v4 = std::count_if(sets.begin(), sets.end(),
                                [](const RangeSet& set) { return set.family() == IpFamily::v4; });
  return version < cni::Version{0, 3, 0} && (v4 > 1 || static_cast<std::ptrdiff_t>(sets.size()) - v4 > 1);
}

std::string too_many_message(const cni::Version& version) {
  return fmt::format("CNI version {} does not support more than 1 address per family", version.to_string());
}

Config read_config(const cni::Request& request, Problems& problems) {
  Config config;
  config.network = request.network;
  const JsonReader root(request.config, problems);
  const JsonReader ipam = root.child("ipam");
  read_folder(ipam, "dataDir", config.data_dir);
  read_folder(ipam, "runDir", config.run_dir);
  if (const auto seconds = ipam.integer("cooldown", 0, u32_max))
    config.cooldown = std::chrono::seconds(*seconds);
  if (request.command == cni::Command::del || request.command == cni::Command::gc) return config;

  if (!root.has("ipam")) {
    problems.add("ipam", "IPAM config missing 'ipam' key");
    return config;
  }
  config.range_sets = read_range_sets(ipam, root.child("runtimeConfig"), problems);
  read_requested(request, root, config, problems);
  config.routes = read_routes(ipam);
  read_exclude(ipam, config);
  config.resolv_conf = ipam.text("resolvConf").value_or("");
  return config;
}

}  // namespace

Config parse_config(const cni::Request& request, Problems& problems) {
  Config config = read_config(request, problems);
  if (too_many_for(request.version, config.range_sets))
    problems.add("ipam.ranges", too_many_message(request.version));
  return config;
}

Config parse_config(const cni::Request& request) {
  Problems problems;
  Config config = read_config(request, problems);
  problems.throw_if_any("configuration of network " + request.network);
  // Told in host-local's exact words, which scripts compare.
  if (too_many_for(request.version, config.range_sets))
    throw Failure(FailureKind::configuration, too_many_message(request.version));
  return config;
}

}  // namespace onlink::ipam
