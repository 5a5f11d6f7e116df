#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# Underlays that few have: nodes that reach each other by WireGuard, and a node's interface in a VRF. No working route is taken
# for a wrong one, and nothing is "ok" that does not work.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
peer() { node A status --json; jq -r ".peers[0] | .path + \" \" + .state + \": \" + .why" <<<"$out"; }
told() { # WHAT PATTERN
  local line; line=$(peer)
  # shellcheck disable=SC2254
  case $line in $2) checks=$((checks + 1)) ;; *) fail "$1: $line" ;; esac
}
ipip_here || fail "this kernel has no ipip"

# WireGuard leads to whoever is among its allowed addresses, to pods' too: it has no neighbours, so nobody is on-link there.
seed_hosts
for each in A:10.50.0.1 B:10.50.0.2; do
  ip -n "${each%:*}" link add wg0 type wireguard || fail "this kernel has no WireGuard"
  ip -n "${each%:*}" addr add "${each#*:}/24" dev wg0
  ip -n "${each%:*}" link set wg0 up
done
"$python" "$(dirname "$0")/wireguard.py" A wg0 172.16.91.201 10.50.0.1/32,10.10.0.0/24 B wg0 172.16.91.202 10.50.0.2/32,10.10.1.0/24
seed_pods
over_wireguard='.nodes[0].nodeIP = "10.50.0.1" | .nodes[1].nodeIP = "10.50.0.2"'
seed_cluster "$over_wireguard"
node A apply
same "exit status" "$status" 1
told "only what is on-link" "none no path: 10.50.0.2 is not on-link (10.50.0.0/24 dev wg0 *), and ipipMode is Never"
same "no route by WireGuard" "$(route_line A 10.10.1.0/24)" ""
# A route that somebody has made through it works, and stays.
ip -n A route add 10.10.1.0/24 dev wg0
ip -n B route add 10.10.0.0/24 dev wg0
on B sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
reaches netns01 10.10.1.2
working=$(route_line A 10.10.1.0/24)
node A apply
same "the working route" "$(route_line A 10.10.1.0/24)" "$working"
reaches netns01 10.10.1.2
ip -n A route del 10.10.1.0/24
ip -n B route del 10.10.0.0/24
# IPIP through it is right.
seed_cluster "$over_wireguard" '.ipipMode = "CrossSubnet"'
applied A; applied B
told "through the tunnel" "ipip ok: 10.50.0.2 is not on-link (10.50.0.0/24 dev wg0 *"
same "the pods' MTU" "$(cat "$work/A/run/mtu")" 1400
reaches netns01 10.10.1.2
count_packets A wg0 'ip proto 4' reaches netns01 10.10.1.2
same "both ways through the tunnel" "$seen" 2
node A clean; node B clean

# The interface in a VRF: its routes are in a table of the VRF, where onlink makes none.
seed_cluster
applied A
told "before" "direct ok: *"
ip -n A link add red type vrf table 100
ip -n A link set red up
ip -n A link set eth0 master red
node A apply
same "exit status with a VRF" "$status" 1
why="172.16.91.201, the address of this node, is on eth0, but no route of table main leads to it: an interface in a VRF has tables of its own, which onlink does not use"
case $errors in *"$why"*) checks=$((checks + 1)) ;; *) fail "an interface in a VRF: $errors" ;; esac
told "in a VRF" "none no path: *"
same "no route in main" "$(route_line A 10.10.1.0/24)" ""
same "the VRF's table" "$(ip -n A -j route show table 100 proto 169)" "[]"
# run starts there, and goes on when the interface comes back.
start_node A
eventually 10 grep -q "an interface in a VRF has tables of its own" "$work/A/log"
ip -n A link set eth0 nomaster
eventually 10 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
applied B
eventually 5 reaches netns01 10.10.1.2
stop_node A
done_testing
