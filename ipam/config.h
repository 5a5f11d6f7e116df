// SPDX-License-Identifier: Apache-2.0
// The configuration of the address manager: host-local's keys with host-local's meaning, and our own (README.md
// lists all). Addresses are requested by runtimeConfig.ips, args.cni.ips, IP of CNI_ARGS and the annotation
// onlink.io/ips, with or without a prefix length; runtimeConfig.ipRanges puts range sets before those of "ipam".
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json_reader.h"
#include "cni/request.h"
#include "cni/result.h"
#include "ipam/host_ends.h"
#include "ipam/range.h"

namespace onlink::ipam {

inline constexpr char default_data_dir[] = "/var/lib/cni/networks";
inline constexpr char default_run_dir[] = "/run/onlink";

// The keys of "ipam".
inline constexpr std::string_view keys[] = {"type",    "ranges",   "subnet",         "rangeStart", "rangeEnd",
                                            "gateway", "routes",   "resolvConf",     "dataDir",    "exclude",
                                            "runDir",  "cooldown", "useAllAddresses"};

// Receives what the program should log: every reservation that was taken back, and why; what had to be ignored.
using Notes = std::function<void(const std::string&)>;

struct Config {
  std::string network;
  std::string data_dir = default_data_dir;
  std::string run_dir = default_run_dir;
  std::vector<RangeSet> range_sets;
  std::vector<IpAddress> requested;
  std::vector<IpPrefix> exclude;
  std::chrono::seconds cooldown{60};
  std::vector<cni::Route> routes;
  std::string resolv_conf;  // empty: no dns in the result

  // Not a key: addresses of the pod subnets that this node uses itself; nobody gets them, requested or not.
  // reserve(), preview(), require_ready() and usage_of() read them from <runDir>/reserved, one per line, where
  // onlink-node writes its tunnel's address.
  std::vector<IpAddress> reserved;

  // Not a key: "namespace/name" of the pod, where the runtime gives it (CNI_ARGS); stored with the reservation,
  // for people.
  std::string pod;

  // Not a key: from a caller that finds its attachments in the kernel; null for others.
  HostEnds* host_ends = nullptr;
};

// Reads the request's configuration and arguments; every problem is reported by its path
// ("ipam.ranges[0][0].subnet"). DEL and GC read only dataDir, runDir and cooldown: what can no longer be given out
// must still be taken back.
Config parse_config(const cni::Request& request, Problems& problems);

// The same; throws Failure (configuration) that lists every problem.
Config parse_config(const cni::Request& request);

// The configuration with Config::reserved filled in. Throws Failure where the file has something else than
// addresses.
Config with_reserved(Config config);

}  // namespace onlink::ipam
