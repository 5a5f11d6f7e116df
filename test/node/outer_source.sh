#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.1
# The node's address is not the one that the kernel takes for packets to the other nodes: a second address, or one on lo behind
# two uplinks. IPIP left from another source then, and the others, which know this node by its address, dropped everything: both
# nodes were "in order". It leaves from the node's address now, through ipip.onlink; tunl0 stays as it is.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=forge.bash
source "$(dirname "$0")/forge.bash"

wire lan
host R
plug R eth0 lan 192.168.5.254/24
ip -n R addr add 192.168.1.254/24 dev eth0
ip -n R addr add 10.9.0.254/24 dev eth0
on R sysctl -qw net.ipv4.ip_forward=1
host A && plug A eth0 lan 192.168.5.10/24
ip -n A addr add 192.168.1.10/24 dev eth0
ip -n A route add default via 192.168.5.254
host B && plug B eth0 lan 10.9.0.20/24
ip -n B route add default via 10.9.0.254
seed_pods
tunl0() { ip -n A -j -d link show tunl0 | jq -c '.[0] | {flags, mtu, pmtudisc: .linkinfo.info_data.pmtudisc}'; ip -n A -j addr show dev tunl0 | jq -c '.[0].addr_info'; }
nodes() { # JQ-PROGRAM...
  seed_cluster '.ipipMode = "CrossSubnet" | .masquerade = true | .filter = true | .nodes[0].nodeIP = "192.168.1.10" | .nodes[1].nodeIP = "10.9.0.20"' "$@"
}
device() { ip -n A -j route show 10.10.1.0/24 | jq -r '.[0].dev'; }
own() { ip -n A -j -d link show ipip.onlink 2>/dev/null | jq -r '.[0].linkinfo.info_data.local'; }
# through DEVICE SOURCE: the pods talk through this device, and what leaves has this source; nothing is left to do.
through() {
  node A plan; same "nothing is left to do" "$out$errors" ""
  node A status; ok "status: $out"
  case $out in *"tunnel $1 10.10.0.1 mtu 1480"*) ;; *) fail "status does not name $1: $out" ;; esac
  same "the device of the route" "$(device)" "$1"
  count_packets A eth0 "ip proto 4 and src host $2" reaches netns01 10.10.1.2
  same "packets from $2" "$seen" 1
  all_pods_talk
  node A check; ok "check: $out"
}
before=$(tunl0)

nodes
node A plan
same "plan" "$(grep -c 'ip tunnel add ipip.onlink mode ipip local 192.168.1.10' <<<"$out")" 1
applied A; applied B
through ipip.onlink 192.168.1.10
same "tunl0" "$(tunl0)" "$before"
same "B's device, whose source is right" "$(ip -n B -j route show 10.10.0.0/24 | jq -r '.[0].dev')" tunl0

# Who may send through it is judged as on tunl0.
dropped() { node A status --json; jq ".dropped.$1" <<<"$out"; }
pings_at_pod() { count_packets netns01 eth0 'icmp[icmptype] = icmp-echo' "$@"; }
pings_at_pod ipip_from B 192.168.1.10
same "a peer's packet comes out of the tunnel" "$seen" 1
pings_at_pod ipip_from B 192.168.1.10 "" 10.10.2.2
same "a peer that speaks for others" "$seen $(dropped forged_inner)" "0 1"
pings_at_pod ipip_from R 192.168.1.10
same "a stranger" "$seen $(dropped foreign_tunnel)" "0 1"

# Deleted, or of another address: made again.
ip -n A link del ipip.onlink
applied A
through ipip.onlink 192.168.1.10
ip -n A link del ipip.onlink
ip -n A link add ipip.onlink type ipip local 192.168.5.10
applied A
through ipip.onlink 192.168.1.10

# The kernel's choice becomes the node's address, and is so no more: `run` follows.
start_node A
ip -n A route replace default via 192.168.5.254 src 192.168.1.10
eventually 10 eval '[ "$(device)" = tunl0 ] && ! ip -n A link show ipip.onlink'
through tunl0 192.168.1.10
ip -n A route replace default via 192.168.5.254
eventually 10 eval '[ "$(device)" = ipip.onlink ]'
through ipip.onlink 192.168.1.10
nodes '.nodes[0].nodeIP = "192.168.5.10"'
eventually 10 eval '[ "$(device)" = tunl0 ] && ! ip -n A link show ipip.onlink'
applied B
through tunl0 192.168.5.10
stop_node A

# The name is somebody else's.
nodes
ip -n A link add ipip.onlink type bridge
node A apply
case $errors in *'no tunnel: ipip.onlink is of kind "bridge", not ipip: left alone'*) ;; *) fail "another kind: $errors" ;; esac
same "left alone" "$(ip -n A -j -d link show ipip.onlink | jq -r '.[0].linkinfo.info_kind')" bridge
ip -n A link del ipip.onlink

# clean takes it away, and gives tunl0 back.
applied A
same "it is there" "$(own)" 192.168.1.10
node A clean; ok "clean: $errors"
same "it is gone" "$(own)" ""
same "tunl0, after clean" "$(tunl0)" "$before"

# On lo, behind two uplinks.
ip -n A addr flush dev eth0
ip -n A addr add 192.168.5.10/24 dev eth0
wire lan2
plug A eth1 lan2 192.168.6.10/24
plug R eth1 lan2 192.168.6.254/24
ip -n A addr add 10.255.0.1/32 dev lo
ip -n A route add default nexthop via 192.168.5.254 nexthop via 192.168.6.254
ip -n R route add 10.255.0.1/32 nexthop via 192.168.5.10 nexthop via 192.168.6.10
on A sysctl -qw net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2
on R sysctl -qw net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2
nodes '.nodes[0].nodeIP = "10.255.0.1"'
applied A; applied B
same "the end" "$(own)" 10.255.0.1
same "its route" "$(device)" ipip.onlink
all_pods_talk
node A check; ok "check: $out"
done_testing
