// SPDX-License-Identifier: Apache-2.0
// onlink-ipam, the address manager as a program: an IPAM plugin for any CNI plugin.
#include <cstdio>

#include "cni/program.h"
#include "ipam/ipam.h"

int main() {
  using namespace onlink;
  const ipam::Notes notes = [](const std::string& text) {
    (void)std::fprintf(stderr, "onlink-ipam: %s\n", text.c_str());
  };
  const cni::Handlers handlers{
      [&](const cni::Request& request) { return ipam::reserve(ipam::parse_config(request), request, notes); },
      [&](const cni::Request& request) { ipam::release(ipam::parse_config(request), request, notes); },
      [&](const cni::Request& request) { ipam::check(ipam::parse_config(request), request); },
      [&](const cni::Request& request) { ipam::require_addresses(ipam::parse_config(request)); },
      [&](const cni::Request& request) { ipam::collect(ipam::parse_config(request), request, notes); },
  };
  return cni::run_plugin(handlers, cni::process_source(), cni::print_to_stdout);
}
