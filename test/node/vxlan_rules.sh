#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# The nftables table beside a live VXLAN device: what a stranger, a pod, or a node that speaks for others has forged is
# dropped and counted, IPv4 and IPv6; another network on the same port is nobody's concern.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=forge.bash
source "$(dirname "$0")/forge.bash"
needs_vxlan

seed_hosts
host stranger && plug stranger eth0 lan 172.16.91.250/24
for each in A B; do ip -n "$each" route add default via 172.16.91.250; done
for name in netns01 netns02; do dual_pod A "$name"; done
for name in netns03 netns04; do dual_pod B "$name"; done
rules='del(.ipipMode) | .vxlanMode = "Always" | .masquerade = true | .filter = true |
  .nodes[0].podCIDRs += ["fd00:10::/64"] | .nodes[1].podCIDRs += ["fd00:10:1::/64"]'
seed_cluster "$rules"
applied A; applied B
count_packets A eth0 'udp port 4789' all_pods_talk
[ "$seen" -gt 32 ] || fail "only $seen packets of VXLAN"
dropped() { node A status --json; jq ".dropped.$1" <<<"$out"; }
pings_at_pod() { count_packets netns01 eth0 'icmp[icmptype] = icmp-echo or icmp6[icmp6type] = icmp6-echo' "$@"; }

pings_at_pod vxlan_from B 172.16.91.201 10.10.1.2 10.10.0.2
same "a peer's packet comes out of the device" "$seen $(dropped foreign_tunnel)" "1 0"
pings_at_pod vxlan_from B 172.16.91.201 fd00:10:1::2 fd00:10::2
same "also of IPv6" "$seen $(dropped foreign_tunnel)" "1 0"
pings_at_pod vxlan_from stranger 172.16.91.201 10.10.1.2 10.10.0.2
same "a stranger's is dropped and counted" "$seen $(dropped foreign_tunnel)" "0 1"
pings_at_pod vxlan_from stranger 172.16.91.201 fd00:10:1::2 fd00:10::2
same "also of IPv6" "$seen $(dropped foreign_tunnel)" "0 2"
vxlan_from netns01 172.16.91.202 10.10.0.2 10.10.1.2
vxlan_from netns01 172.16.91.201 10.10.1.2 10.10.0.3
same "a pod's is dropped and counted" "$(dropped tunnel_from_pod)" 2

forged=0
for inner in 10.10.2.2 10.10.0.3 172.16.91.250 192.0.2.9; do
  pings_at_pod vxlan_from B 172.16.91.201 "$inner" 10.10.0.2
  forged=$((forged + 1))
  same "a peer that speaks as $inner" "$seen $(dropped forged_inner)" "0 $forged"
done
for inner in fd00:10:2::2 fd00:10::3 2001:db8::9; do
  pings_at_pod vxlan_from B 172.16.91.201 "$inner" fd00:10::2
  forged=$((forged + 1))
  same "a peer that speaks as $inner" "$seen $(dropped forged_inner)" "0 $forged"
done
vxlan_from B 172.16.91.201 10.10.1.2 10.10.0.2 4096 0x8100 # as if it had a VLAN tag
forged=$((forged + 1))
same "what is neither IPv4 nor IPv6" "$(dropped forged_inner)" "$forged"
for inner in 10.10.1.77 10.10.1.1 172.16.91.202; do
  pings_at_pod vxlan_from B 172.16.91.201 "$inner" 10.10.0.2
  same "a peer that speaks as itself, $inner" "$seen $(dropped forged_inner)" "1 $forged"
done
node A status --json
same "who forged" "$(jq -c '[.forgedInnerBy[] | [.sender, .peer, .packets]]' <<<"$out")" "[[\"172.16.91.202\",\"B\",$forged]]"
reaches netns03 10.10.0.2 -s 3000 # in pieces

# Another VXLAN network on the same port: not ours to judge.
ip -n A link add other type vxlan id 5 local 172.16.91.201 dstport 4789 nolearning
ip -n A link set other address 02:6f:ac:10:5b:c9 up
count_packets A other 'ip' vxlan_from stranger 172.16.91.201 10.10.1.2 10.10.0.2 5
same "another network's packet arrives" "$seen $(dropped foreign_tunnel)" "1 2"
ip -n A link del other

# The filter is what holds it.
seed_cluster "$rules" '.filter = false'
applied A
pings_at_pod vxlan_from stranger 172.16.91.201 10.10.1.2 10.10.0.2
same "without the filter" "$seen" 1
seed_cluster "$rules"
applied A
# A chain of the host's own that drops what it does not know: told, with the command that mends it.
on A sh -c 'nft add table ip filter && nft add chain ip filter INPUT "{ type filter hook input priority 0; policy drop; }"'
node A plan
case $errors in *"iptables -I INPUT -p udp --dport 4789 -j ACCEPT"*) checks=$((checks + 1)) ;; *) fail "no word of INPUT: $errors" ;; esac
on A nft add rule ip filter INPUT udp dport 4789 accept
node A plan
same "and then not" "$errors" ""
on A nft delete table ip filter

# What a program of the host has bound to the node's address gets the end's, so that answers come back.
reaches A 10.10.1.2 -I 172.16.91.201
# A peer that is withdrawn is a stranger.
seed_cluster "$rules" '.nodes = [.nodes[0]] + [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
applied A
before=$(dropped foreign_tunnel)
pings_at_pod vxlan_from B 172.16.91.201 10.10.1.2 10.10.0.2
same "a node that was withdrawn" "$seen $(($(dropped foreign_tunnel) - before))" "0 1"
done_testing
