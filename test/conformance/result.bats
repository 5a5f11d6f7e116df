#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every key of the result against the kernel, in two worlds: the configuration as it is, and (when it delegates) with an IPAM
# plugin that answers two addresses, IPv4 and IPv6, routes with and without gw, and DNS.

load lib

setup_file() {
  fresh_world
  world "$WORK/world.configured"
  if [[ $DELEGATES ]]; then
    fresh_world
    conf=$recorder/conf.json cni_path=$recorder/bin:$CNI_DIRS
    world "$WORK/world.delegated"
  fi
}

world() {  # a file that holds the world, or FILE.failed that says why there is none
  ip -n host -j addr show >"$WORK/host.links"
  rm -f "$1" "$1.failed"
  cni ADD
  cp "$out" "$result"
  ((rc == 0)) && jq -e 'type == "object"' "$result" >/dev/null 2>&1 && observe "$1" || said >"$1.failed"
}

setup() { :; }

in_both_worlds() {
  local world
  for world in configured delegated; do
    [[ ! -e $WORK/world.$world.failed ]] || fail "$world: no result to judge: $(<"$WORK/world.$world.failed")" || return
    [[ ! -e $WORK/world.$world ]] || judge "$1 | \"$world: \(.)\"" "$WORK/world.$world" || return
  done
}

of_main() { for_main; rich_result; }
of_ipam() { for_ipam; rich_result; }

@test "RES-01 cniVersion is the version supplied" { in_both_worlds 'select(.result.cniVersion != .version) | "cniVersion is \(.result.cniVersion), not \(.version)"'; }
@test "RES-02 every interface that was made is listed" { of_main; in_both_worlds unlisted_interfaces; }
@test "RES-02b every listed interface exists where its sandbox says" { of_main; in_both_worlds missing_interfaces; }
@test "RES-03 interfaces have the types of the specification" { of_main; in_both_worlds '.result | interface_types'; }
@test "RES-04 mac is the kernel's" { of_main; in_both_worlds wrong_macs; }
@test "RES-05 mtu is the kernel's" { of_main; since 1.1.0 "mtu in a result"; in_both_worlds wrong_mtus; }
@test "RES-06 sandbox of a container interface is CNI_NETNS" { of_main; in_both_worlds wrong_sandboxes; }
@test "RES-07 every listed address is on its interface, prefix length included" { of_main; in_both_worlds missing_addresses; }
@test "RES-07b every address of the attachment is listed" { of_main; in_both_worlds unlisted_addresses; }
@test "RES-08 interface is an index into interfaces" { of_main; in_both_worlds wrong_interface_indexes; }
@test "RES-09 ips have the types of the specification" { rich_result; in_both_worlds '.result | ip_types'; }
@test "RES-10 gateway is a neighbour of its address's interface" { of_main; in_both_worlds wrong_gateways; }
@test "RES-11 every listed route is in the container, with its gw, mtu, advmss, priority, table and scope" { of_main; in_both_worlds wrong_routes; }
@test "RES-12 every route that was made is listed" { of_main; in_both_worlds unlisted_routes; }
@test "RES-13 routes have the types of the specification" { rich_result; in_both_worlds '.result | route_types'; }
@test "RES-14 dns is a dictionary" { in_both_worlds '.result | dns_types'; }
@test "RES-15 nameservers are addresses, domain, search and options strings" { in_both_worlds '.result | dns_key_types'; }
@test "RES-16 an IPAM result has no interfaces" { of_ipam; in_both_worlds '.result | select(has("interfaces")) | "interfaces is \(.interfaces)"'; }
@test "RES-17 the ips of an IPAM result have no interface" { of_ipam; in_both_worlds '.result.ips | list | select(has("interface")) | "\(.address) has interface \(.interface)"'; }
@test "DLG-01 an IPAM plugin returns at least one address" { of_ipam; in_both_worlds '.result | select((.ips // []) | length == 0) | "no ips"'; }
