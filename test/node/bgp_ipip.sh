#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.1
# Source "routes" with the tunnel: A and B in one network, C behind a router. BIRD's next hop is C itself, the packets
# go through tunl0; A and B go directly. BIRD and onlink-node die and come back, and no ping is lost.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"

hosts_behind_router
pod_at A netns01 10.10.0.2
pod_at B netns03 10.10.1.2
pod_at C netns05 10.10.2.2
seed_cluster "$(routes_source 60)" "$third_node" \
  '.ipipMode = "CrossSubnet" | .filter = true | .masquerade = true'
for each in A B C; do start_node $each; configure_bird $each; start_bird $each -R; done
through_tunnel() { [ "$(route_line A 10.10.2.0/24)" = "10.10.2.0/24 via 172.16.92.203 dev tunl0 proto 169 src 10.10.0.1 onlink" ]; }
eventually 60 through_tunnel
eventually 60 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
eventually 60 eval 'route_line C 10.10.0.0/24 | grep -q tunl0 && route_line C 10.10.1.0/24 | grep -q tunl0'
eventually 60 reaches netns01 10.10.2.2
reaches netns01 10.10.1.2
count_packets R eth1 'ip proto 4' reaches netns01 10.10.2.2 -c5
[ "$seen" -ge 10 ] || fail "only $seen packets of protocol 4"
reaches netns05 10.10.1.2
cut_off netns01 10.10.2.77

established() { ask_bird "$1" show protocols | grep -q "onlink4_$2.*Established"; }
bird_dies() { end_bird C KILL; through_tunnel; start_bird C -R; eventually 60 established C 172_16_91_201; eventually 60 recovered C; }
lossless netns01 10.10.2.2 bird_dies
node_dies() { kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true; start_node A; eventually 60 eval 'node A status --json; [ "$(jq .service.passes <<<"$out")" -ge 1 ]'; }
lossless netns01 10.10.2.2 node_dies
through_tunnel || fail "the route is $(route_line A 10.10.2.0/24)"
echo "bgp_ipip.sh: $pinged pings, none lost"
done_testing
