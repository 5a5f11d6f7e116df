#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A route of our protocol leads a pod's packets to another pod's end: it is not taken for what that end had, whether
# it replaced the pod's own or lies beside it, and whether the service saw it come or found it there.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
dual_pod A p1
dual_pod A p2
seed_cluster
end_of() { ip -n A -j route show "$1" proto 169 | jq -r '.[0].dev'; }
end1=$(end_of 10.10.0.2) end2=$(end_of 10.10.0.3) end6=$(end_of "${v4[p1]}")
state() { { ip -n A route show proto 169 | grep 'scope link'; ip -n A -6 route show proto 169; ip -n A neigh show nud permanent; } | sed 's/ *$//' | sort; }
all=$(state)
as_before() { [ "$(state)" = "$all" ]; }
# ways: what is done to 10.10.0.3 and to a pod's IPv6, to which end1 and end6 have no right.
ways=("route replace 10.10.0.3 dev $end1 proto 169 scope link"
  "route append 10.10.0.3 dev $end1 proto 169 scope link"
  "route prepend 10.10.0.3 dev $end1 proto 169 scope link"
  "route add 10.10.0.3 dev $end1 proto 169 scope link metric 5"
  "route add 10.10.0.3 dev $end2 proto 169 scope link metric 5"
  "-6 route replace ${v6[p2]} dev $end6 proto 169"
  "-6 route append ${v6[p2]} dev $end6 proto 169"
  "-6 route add ${v6[p2]} dev $end6 proto 169 metric 5")

start_node A
eventually 2 grep -q 'ip route add 10.10.1.0/24' "$work/A/log"
for way in "${ways[@]}"; do
  # shellcheck disable=SC2086
  ip -n A $way
  eventually 1 as_before
done
ip -n A route replace 10.10.0.3 dev "$end1" proto 169 scope link
eventually 1 as_before
ip -n A route del 10.10.0.3
eventually 1 as_before
reaches netns01 10.10.0.3
# Another protocol's is another's, beside ours.
ip -n A route add 10.10.0.3 dev "$end1" proto static metric 5
sleep 0.3
same "another's stays" "$(ip -n A route show 10.10.0.3 | wc -l)" 2
ip -n A route del 10.10.0.3 metric 5
eventually 1 as_before
stop_node A

for way in "${ways[@]}"; do
  # shellcheck disable=SC2086
  ip -n A $way
  start_node A
  eventually 2 as_before
  stop_node A
done
# The pod at the wrong end may say that the address is its own; the neighbour that ADD made says whose it is.
ip -n netns01 addr add 10.10.0.3/32 dev eth0
ip -n A route replace 10.10.0.3 dev "$end1" proto 169 scope link
start_node A
eventually 2 as_before
stop_node A
ip -n netns01 addr del 10.10.0.3/32 dev eth0
# Where that is lost too, the pods tell.
ip -n A link set "$end2" down
ip -n A link set "$end2" up
ip -n A route replace 10.10.0.3 dev "$end1" proto 169 scope link
start_node A
eventually 2 as_before
stop_node A
done_testing
