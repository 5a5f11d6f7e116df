#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The IPAM plugins of the field under onlink, and onlink-ipam under the main plugins of the field: ADD, CHECK, traffic,
# DEL that leaves nothing. An IPAM plugin that fails gets its DEL, and nothing is left.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/libcni.bash"
need $reference/macvlan containernetworking-plugins
sysctl -qw net.ipv4.ip_forward=1

# plugin MAIN-PLUGIN IPAM: a network of one plugin (both JSON).
plugin() { conflist 1.0.0 ".plugins = [$1 + {ipam: $2}]"; }
address() { jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out"; }
pings() { checks=$((checks + 1)); ip netns exec "$2" ping -q -c 1 -W 10 "$3" >/dev/null || fail "$1: no ping from $2 to $3"; }
pair() { # WHAT MAIN IPAM-OF-P1 [IPAM-OF-P2]: two pods that reach each other come and go
  pod p1; pod p2
  plugin "$2" "$3"; drive ADD p1; ok "ADD p1: $1"; local one=$out first; first=$(address)
  drive CHECK p1; ok "CHECK p1: $1"
  plugin "$2" "${4:-$3}"; drive ADD p2; ok "ADD p2: $1"; second=$(address)
  [ "$first" != "$second" ] || fail "$1: $first twice"
  pings "$1" p1 "$second"; pings "$1" p2 "$first"
  drive DEL p2; ok "DEL p2: $1"; plugin "$2" "$3"; drive DEL p1; ok "DEL p1: $1"; drive DEL p1; ok "DEL p1 again: $1"
  result=$one; ip netns del p1; ip netns del p2
  nothing_left "$1"
}

onlink='{type: "onlink", mtu: 1500}'
echo "nameserver 10.96.0.10" >$work/resolv.conf
pair "host-local" "$onlink" '{type: "host-local", ranges: [[{subnet: "10.10.0.0/24"}]], routes: [{dst: "0.0.0.0/0"}], resolvConf: "/run/work/resolv.conf"}'
same "dns of host-local" "$(jq -c .dns.nameservers <<<"$result")" '["10.96.0.10"]'
# With and without a gateway of its own: the pod's is 169.254.1.1, and static's CHECK passes all the same.
pair "static" "$onlink" '{type: "static", addresses: [{address: "10.10.0.50/24", gateway: "10.10.0.1"}]}' \
  '{type: "static", addresses: [{address: "10.10.0.51/24"}], dns: {nameservers: ["10.96.0.10"]}}'
same "address of static" "$(jq -cS '.ips' <<<"$result")" '[{"address":"10.10.0.50/32","gateway":"169.254.1.1","interface":1}]'

# dhcp asks for a lease through the pod's interface, which onlink makes when it knows the address (as ptp does).
$reference/dhcp daemon 2>/dev/null & dhcp=$!
until_true 5 test -S /run/cni/dhcp.sock || fail "dhcp daemon"
pod p1; before=$(snapshot p1)
plugin "$onlink" '{type: "dhcp"}'; drive ADD p1; refused "dhcp" "IPAM plugin dhcp: error calling DHCP.Allocate: error looking up \"eth0\": Link not found"
same "pod after dhcp" "$(snapshot p1)" "$before"; nothing_left dhcp
kill $dhcp; wait $dhcp 2>/dev/null || true; ip netns del p1

ranges='{type: "onlink-ipam", ranges: [[{subnet: "10.10.0.0/24"}]], routes: [{dst: "0.0.0.0/0"}]}'
pair "onlink-ipam under ptp" '{type: "ptp"}' "$ranges"
holds "a subnet's address, and its gateway, under ptp" '.ips[0] | (.address | endswith("/24")) and .gateway == "10.10.0.1"' "$result"
pair "onlink-ipam under bridge" '{type: "bridge", bridge: "br0", isGateway: true}' "$ranges"
ip link add parent type veth peer name other; ip link set parent up; ip link set other up
pair "onlink-ipam under macvlan" '{type: "macvlan", master: "parent", mode: "bridge"}' "$ranges"

# IPAM plugins that fail, each in its own way; they write down what they are asked.
mkdir $work/plugins; cni_path=$work/plugins:$bin:$reference
pod p1; before=$(snapshot p1)
fails() { # BODY WORDS
  printf '#!/bin/sh\necho "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME" >>%s/asked\n[ "$CNI_COMMAND" = ADD ] || exit 0\n%s\n' $work "$1" >$work/plugins/it
  chmod +x $work/plugins/it; rm -f $work/asked
  plugin "$onlink" '{type: "it"}'; drive ADD p1; refused "IPAM that fails: $1" "$2"
  same "what it is asked: $1" "$(cat $work/asked)" "ADD p1 eth0
DEL p1 eth0"
  same "pod after: $1" "$(snapshot p1)" "$before"; nothing_left "$1"
}
result_of() { echo "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[$1]}'"; }
fails "echo '{\"code\":7,\"msg\":\"no such pool\"}'; exit 1" "no such pool"
fails "exit 3" "exited with status 3"
fails "kill -9 \$\$" "signal 9"
fails "echo nonsense" "not JSON"
fails "$(result_of '')" "no address"
# The address leads elsewhere, which only the kernel can say: the interface is there by then.
fails "$(result_of '{"address":"192.0.2.1/32"}')" "192.0.2.1"
fails "$(result_of '{"address":"10.10.0.9/32"},{"address":"10.10.0.9/32"}')" "twice"
done_testing
