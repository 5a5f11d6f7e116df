// SPDX-License-Identifier: Apache-2.0
#include "cni/result.h"

#include <fmt/format.h>

namespace onlink::cni {
namespace {

using nlohmann::json;

constexpr Version first_with_lists{0, 3, 0};              // ips, interfaces and routes as lists
constexpr Version first_without_address_family{1, 0, 0};  // "version" gone from ips

void put(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put(json& object, const char* key, const std::vector<std::string>& texts) {
  if (!texts.empty()) object[key] = texts;
}

void put_nonzero(json& object, const char* key, const std::optional<std::uint32_t>& number) {
  if (number.value_or(0) != 0) object[key] = *number;
}

json to_json(const Dns& dns) {
  json object = json::object();
  put(object, "nameservers", dns.nameservers);
  put(object, "domain", dns.domain);
  put(object, "search", dns.search);
  put(object, "options", dns.options);
  return object;
}

json to_json(const Interface& interface, const Version& version) {
  json object{{"name", interface.name}};
  put(object, "mac", interface.mac);
  put(object, "sandbox", interface.sandbox);
  if (version < first_without_address_family) return object;
  put_nonzero(object, "mtu", interface.mtu);
  put(object, "socketPath", interface.socket_path);
  put(object, "pciID", interface.pci_id);
  return object;
}

json to_json(const IpConfig& ip, const Version& version) {
  json object{{"address", ip.address.to_string()}};
  if (version < first_without_address_family) object["version"] = ip.address.address.is_v4() ? "4" : "6";
  if (ip.gateway) object["gateway"] = ip.gateway->to_string();
  if (ip.interface) object["interface"] = *ip.interface;
  return object;
}

json destination_and_gateway(const Route& route) {
  json object{{"dst", route.dst.to_string()}};
  if (route.gw) object["gw"] = route.gw->to_string();
  return object;
}

json to_json(const Route& route) {
  json object = destination_and_gateway(route);
  put_nonzero(object, "mtu", route.mtu);
  put_nonzero(object, "advmss", route.advmss);
  put_nonzero(object, "priority", route.priority);
  if (route.table) object["table"] = *route.table;
  if (route.scope) object["scope"] = *route.scope;
  return object;
}

// "ip4" and "ip6", the form below 0.3.0.
void put_single_addresses(json& document, const Result& result) {
  for (const IpConfig& ip : result.ips) {
    json& object = document[ip.address.address.is_v4() ? "ip4" : "ip6"];
    if (!object.is_null()) continue;
    object["ip"] = ip.address.to_string();
    if (ip.gateway) object["gateway"] = ip.gateway->to_string();
    for (const Route& route : result.routes)
      if (route.dst.family() == ip.address.family())
        object["routes"].push_back(destination_and_gateway(route));
  }
}

std::optional<std::uint32_t> read_number(const JsonReader& reader, const char* key) {
  const auto number = reader.integer(key, 0, UINT32_MAX);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint32_t> read_nonzero(const JsonReader& reader, const char* key) {
  const auto number = read_number(reader, key);
  return number == 0u ? std::nullopt : number;
}

Interface read_interface(const JsonReader& reader) {
  return {reader.text("name").value_or(""),       reader.text("mac").value_or(""),
          reader.text("sandbox").value_or(""),    read_nonzero(reader, "mtu"),
          reader.text("socketPath").value_or(""), reader.text("pciID").value_or("")};
}

void read_routes(const JsonReader& reader, std::vector<Route>& routes) {
  // As many as an IPAM may give, and those that a main plugin adds.
  for (const JsonReader& entry : reader.children("routes", 2 * JsonReader::most_entries))
    if (const auto route = read_route(entry)) routes.push_back(*route);
}

IpConfig read_ip(const JsonReader& reader, std::size_t interfaces) {
  IpConfig ip{reader.required_prefix("address").value_or(IpPrefix()), reader.address_if_any("gateway"),
              std::nullopt};
  if (interfaces == 0) return ip;
  ip.interface = read_number(reader, "interface");
  if (ip.interface && *ip.interface >= interfaces)
    reader.problem("interface", fmt::format("must be an index into interfaces (0 to {}), not {}",
                                            interfaces - 1, *ip.interface));
  return ip;
}

void read_single_address(const JsonReader& reader, const char* key, IpFamily family, Result& result) {
  if (!reader.has(key)) return;
  const JsonReader entry = reader.child(key);
  const auto address = entry.required_prefix("ip");
  if (address && address->family() != family)
    entry.problem("ip", "is of the other address family: " + address->to_string());
  result.ips.push_back({address.value_or(IpPrefix()), entry.address_if_any("gateway"), std::nullopt});
  read_routes(entry, result.routes);
}

// The version of the document itself; nothing where it is not supported.
std::optional<Version> form_of(const JsonReader& reader, const Version& fallback) {
  const std::string text = reader.text("cniVersion").value_or("");
  if (text.empty()) return fallback;
  const auto version = Version::parse(text);
  if (version && is_supported(*version)) return version;
  reader.problem("cniVersion", fmt::format("\"{}\" is not a supported version", text));
  return std::nullopt;
}

}  // namespace

std::optional<Route> read_route(const JsonReader& reader) {
  const auto dst = reader.required_prefix("dst");
  Route route{dst.value_or(IpPrefix()),
              reader.address_if_any("gw"),
              read_nonzero(reader, "mtu"),
              read_nonzero(reader, "advmss"),
              read_nonzero(reader, "priority"),
              read_number(reader, "table"),
              std::nullopt};
  if (const auto scope = reader.integer("scope", 0, 255)) route.scope = static_cast<std::uint8_t>(*scope);
  return dst ? std::optional(route) : std::nullopt;
}

Dns read_dns(const JsonReader& reader) {
  return {reader.texts("nameservers"), reader.text("domain").value_or(""), reader.texts("search"),
          reader.texts("options")};
}

json to_json(const Result& result, const Version& version) {
  json document{{"cniVersion", version.to_string()}};
  if (version < first_without_address_family || !result.dns.empty()) document["dns"] = to_json(result.dns);
  if (version < first_with_lists) {
    put_single_addresses(document, result);
    return document;
  }
  for (const Interface& interface : result.interfaces)
    document["interfaces"].push_back(to_json(interface, version));
  for (const IpConfig& ip : result.ips) document["ips"].push_back(to_json(ip, version));
  for (const Route& route : result.routes) document["routes"].push_back(to_json(route));
  return document;
}

Result read_result(const JsonReader& reader, const Version& version) {
  Result result;
  const auto form = form_of(reader, version);
  if (!form) return result;
  result.dns = read_dns(reader.child("dns"));
  if (*form < first_with_lists) {
    read_single_address(reader, "ip4", IpFamily::v4, result);
    read_single_address(reader, "ip6", IpFamily::v6, result);
    return result;
  }
  for (const JsonReader& entry : reader.children("interfaces"))
    result.interfaces.push_back(read_interface(entry));
  for (const JsonReader& entry : reader.children("ips"))
    result.ips.push_back(read_ip(entry, result.interfaces.size()));
  read_routes(reader, result.routes);
  return result;
}

Result parse_result(const json& document, const Version& version, const std::string& name) {
  Problems problems;
  const Result result = read_result(JsonReader(document, problems), version);
  problems.throw_if_any(name);
  return result;
}

}  // namespace onlink::cni
