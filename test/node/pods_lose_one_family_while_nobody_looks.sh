#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The routes of one family go while no service runs: each pod gets back what it had, of the other family nothing is touched,
# and what a pod has given itself meanwhile is nobody's.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
dual_pod A p1
dual_pod A p2
dual_pod B p3
pod_at A netns01 10.10.0.21
pod_at A netns02 10.10.0.22
seed_cluster
pod_routes() { { ip -n A route show proto 169 | grep 'scope link'; ip -n A -6 route show proto 169; } | sed 's/ *$//' | sort; }
routes=$(pod_routes)
same "two pods with two addresses, two with one" "$(wc -l <<<"$routes")" 6
as_before() { [ "$(pod_routes)" = "$routes" ]; }
ip -n p2 addr add 10.10.0.77/32 dev eth0
ip -n p2 addr add "${v6[p1]}/128" dev eth0 nodad
ip -n netns01 addr add fd00:10:0::99/128 dev eth0 nodad 2>/dev/null || true
ip -n netns01 addr add "${v4[p2]}/32" dev eth0

for family in -6 -4; do
  start_node A
  eventually 3 eval '[ -n "$(route_line A 10.10.1.0/24)" ]'
  stop_node A
  ip -n A "$family" route flush proto 169
  start_node A
  eventually 2 as_before
  stop_node A
done
# One pod's, and a service that never saw it.
ip -n A -6 route del "${v6[p1]}"
ip -n A route del "${v4[p2]}"
rm -r "$work/A/run"
start_node A
eventually 2 as_before
sleep 0.3
same "no more than they had" "$(pod_routes)" "$routes"
stop_node A
done_testing
