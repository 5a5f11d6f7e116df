// SPDX-License-Identifier: Apache-2.0
// The result of an attachment (CNI specification 1.1.0, "ADD Success"), in the one form that the project
// works with. It is read from and written in the form of every version of the specification; see to_json()
// for the differences.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "cni/version.h"

namespace onlink::cni {

struct Interface {
  std::string name = {};
  std::string mac = {};      // empty where unknown
  std::string sandbox = {};  // path of the network namespace; empty on the host
  std::optional<std::uint32_t> mtu = {};
  std::string socket_path = {};
  std::string pci_id = {};

  bool operator==(const Interface&) const = default;
};

struct IpConfig {
  IpPrefix address = {};  // as the pod has it, host bits included
  std::optional<IpAddress> gateway = {};
  // Index into Result::interfaces. In a parsed result it is always valid: an index out of range is a problem,
  // and an index without any interfaces (some IPAM plugins) is dropped.
  std::optional<std::uint32_t> interface = {};

  bool operator==(const IpConfig&) const = default;
};

struct Route {
  IpPrefix dst = {};
  std::optional<IpAddress> gw = {};
  std::optional<std::uint32_t> mtu = {};
  std::optional<std::uint32_t> advmss = {};
  std::optional<std::uint32_t> priority = {};
  std::optional<std::uint32_t> table = {};
  std::optional<std::uint8_t> scope = {};

  bool operator==(const Route&) const = default;
};

// An entry of "routes" of a result, or of a configuration, which has the same keys. Nothing without a destination.
std::optional<Route> read_route(const JsonReader& reader);

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain = {};
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool empty() const { return nameservers.empty() && domain.empty() && search.empty() && options.empty(); }
  bool operator==(const Dns&) const = default;
};
// The object "dns" of a result, or of a configuration, which has the same keys.
Dns read_dns(const JsonReader& reader);

struct Result {
  std::vector<Interface> interfaces;  // empty in the result of an IPAM plugin
  std::vector<IpConfig> ips;
  std::vector<Route> routes;
  Dns dns;

  bool operator==(const Result&) const = default;
};

// The document to print, with its cniVersion, in the form that libcni gives the version:
// - below 0.3.0 ip4 and ip6 hold the first address of each family and the routes (dst and gw) of that family;
//   interfaces, and a family's routes without an address of it, have no place there and are left out;
// - 0.3.0 to 0.4.0: ips carry "version", interfaces only name, mac and sandbox;
// - from 1.0.0: everything, and an empty dns is left out.
// To libcni, 0 means unset in mtu, advmss and priority: it is not written, and read as absent.
nlohmann::json to_json(const Result& result, const Version& version);

// Reads the form of every version, chosen by the document's own cniVersion (absent: the given version).
// Problems are reported to the reader, by their path.
Result read_result(const JsonReader& reader, const Version& version);
// The same for a document of its own. Throws Failure (configuration): "<name>: <path>: <reason>; ...".
Result parse_result(const nlohmann::json& document, const Version& version, const std::string& name);

}  // namespace onlink::cni
