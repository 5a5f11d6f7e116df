#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Several network cards, each with a table that policy rules choose by the sender, as in clouds: a tunnel's packets have this
# node's address as their sender, so they take another way than the kernel names for the other node. Its peers were "ok" while
# nothing passed.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan

for each in lan near far; do wire $each; done
host A; plug A eth0 lan 172.16.91.201/24; plug A eth1 near 172.16.92.201/24 1400
host R; plug R eth0 lan 172.16.91.254/24; plug R eth1 near 172.16.92.254/24; plug R eth2 far 172.16.93.254/24
host B; plug B eth0 far 172.16.93.202/24
on R sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n A route add default via 172.16.91.254 metric 100
ip -n A route add default via 172.16.92.254 metric 200
ip -n B route add default via 172.16.93.254
ip -n A rule add pref 99 from 172.16.91.201 to 10.10.0.0/16 lookup main
ip -n A rule add pref 100 from 172.16.91.201 lookup 101
way() { ip -n A route replace "$1" default "${@:2}" table 101; }
way unicast via 172.16.91.254
seed_cluster '.vxlanMode = "CrossSubnet" | .nodes[1].nodeIP = "172.16.93.202"'
pod_mtu=1350 seed_pods
applied A; applied B
peer() { node A status --json; jq -r '.peers[0] | .path + " " + .state + ": " + .why' <<<"$out"; }
told() { # WHAT WORDS
  case $(peer) in *"$2"*) checks=$((checks + 1)) ;; *) fail "$1: $(peer)" ;; esac
}
told "the same way" "vxlan ok: 172.16.93.202 is not on-link"
same "the pods' MTU" "$(cat "$work/A/run/mtu")" 1450
reaches netns01 10.10.1.2
all_pods_talk
way blackhole
cut_off netns01 10.10.1.2
told "refused" "vxlan blocked: there is no route from this node's address to 172.16.93.202, or one that refuses"
node A status
same "exit status" "$status" 1
way unicast via 172.16.91.253
cut_off netns01 10.10.1.2 -W4
told "a router that is off" "vxlan blocked: 172.16.91.253 does not answer on eth0"
node A check
case $out in *"172.16.91.253 does not answer on eth0"*) checks=$((checks + 1)) ;; *) fail "check names another: $out" ;; esac
# The other card carries less.
way unicast via 172.16.92.254
applied A
told "by the other card" "vxlan ok: "
same "its MTU" "$(cat "$work/A/run/mtu")" 1350
all_pods_talk
# The same by the destination: the pods' way in table main is not touched by it.
ip -n A rule add pref 98 to 172.16.93.0/24 lookup 102
ip -n A route add default via 172.16.92.254 table 102
applied A
told "by another table" "vxlan ok: 172.16.93.202 is not on-link (default via 172.16.92.254 dev eth1 table 102)"
all_pods_talk
ip -n A rule del pref 98
on A sh -c 'ip link set eth1 down'
ip -n A route replace default dev eth0 via 172.16.91.254 table 101
applied A
told "back" "vxlan ok: "
# A rule for VXLAN's port alone.
ip -n A rule del pref 100
ip -n A rule add pref 100 ipproto udp dport 4789 prohibit
cut_off netns01 10.10.1.2
told "refused by its port" "vxlan blocked: there is no route from this node's address to 172.16.93.202, or one that refuses"
done_testing
