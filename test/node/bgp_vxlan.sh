#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Source "routes" with VXLAN: A and B in one network, C behind a router. BIRD's next hop is C itself, the packets go through
# the device; A and B go directly. BIRD and onlink-node die and come back, and no ping is lost.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"
vxlan_here || { echo "skipped: this kernel has no vxlan"; exit 77; }

hosts_behind_router
pod_at A netns01 10.10.0.2
pod_at B netns03 10.10.1.2
pod_at C netns05 10.10.2.2
seed_cluster "$(routes_source 60)" "$third_node" \
  'del(.ipipMode) | .vxlanMode = "CrossSubnet" | .filter = true | .masquerade = true'
for each in A B C; do start_node $each; configure_bird $each; start_bird $each -R; done
through_device() { [ "$(route_line A 10.10.2.0/24)" = "10.10.2.0/24 via 10.10.2.1 dev vxlan.onlink proto 169 src 10.10.0.1 onlink" ]; }
eventually 60 through_device
eventually 60 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
eventually 60 eval 'route_line C 10.10.0.0/24 | grep -q vxlan.onlink && route_line C 10.10.1.0/24 | grep -q vxlan.onlink'
same "who has which MAC" "$(on A bridge -j fdb show dev vxlan.onlink | jq -c 'map([.mac, .dst])')" '[["02:6f:ac:10:5c:cb","172.16.92.203"]]'
eventually 60 reaches netns01 10.10.2.2
reaches netns01 10.10.1.2
count_packets R eth1 'udp port 4789' reaches netns01 10.10.2.2 -c5
[ "$seen" -ge 10 ] || fail "only $seen packets of VXLAN"
reaches netns05 10.10.1.2
cut_off netns01 10.10.2.77

established() { ask_bird "$1" show protocols | grep -q "onlink4_$2.*Established"; }
bird_dies() { end_bird C KILL; through_device; start_bird C -R; eventually 60 established C 172_16_91_201; eventually 60 recovered C; }
lossless netns01 10.10.2.2 bird_dies
node_dies() { kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true; start_node A; eventually 60 eval 'node A status --json; [ "$(jq .service.passes <<<"$out")" -ge 1 ]'; }
lossless netns01 10.10.2.2 node_dies
through_device || fail "the route is $(route_line A 10.10.2.0/24)"

# What C no longer announces goes with all that led there, the entry and the device too.
end_bird C TERM
node A status --json
case $out in *"gone from kernel table 169"*) checks=$((checks + 1)) ;; *) eventually 30 eval 'node A status --json; grep -q "gone from kernel table 169" <<<"$out"' ;; esac
reaches netns01 10.10.2.2
echo "bgp_vxlan.sh: $pinged pings, none lost"
done_testing
