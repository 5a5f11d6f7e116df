#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Somebody gives a pod's neighbour another MAC: it has the pod's again at once; and one without a MAC, of a network with
# "hostNeighbour": "learned", never becomes a permanent one.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
seed_cluster
pod asking
on A env CNI_COMMAND=ADD CNI_CONTAINERID=asking CNI_NETNS=/run/netns/asking CNI_IFNAME=eth0 CNI_PATH="$bin" \
  CNI_ARGS="IgnoreUnknown=1;IP=10.10.0.9" "$bin/onlink" >"$work/asking.result" <<END || give_up "attach: $(cat "$work/asking.result")"
{"cniVersion":"1.1.0","name":"asking","type":"onlink","hostNeighbour":"learned",
 "ipam":{"type":"onlink-ipam","subnet":"10.10.0.0/24","dataDir":"$work/A/ipam2"}}
END
end_of() { ip -n A -j route show "$1" proto 169 | jq -r '.[0].dev'; }
end=$(end_of 10.10.0.2) asking=$(end_of 10.10.0.9)
permanent() { ip -n A neigh show nud permanent | grep PERMANENT | sed 's/ *$//' | sort; }
all=$(permanent)
same "two neighbours with a MAC" "$(wc -l <<<"$all")" 2
as_before() { [ "$(permanent)" = "$all" ] && ip -n A neigh show nud all dev "$asking" | grep -q '10.10.0.9 .*extern_learn'; }
eventually 1 as_before
spoil() { ip -n A neigh replace "$1" lladdr 02:00:00:00:00:01 dev "$2" nud "$3"; }

start_node A
eventually 2 grep -q 'ip route add 10.10.1.0/24' "$work/A/log"
for state in permanent reachable stale; do
  spoil 10.10.0.2 "$end" "$state"
  eventually 1 as_before
done
reaches A 10.10.0.2
spoil 10.10.0.9 "$asking" permanent
eventually 1 as_before
ip -n A neigh del 10.10.0.9 dev "$asking"
eventually 1 as_before
ip -n A route flush proto 169
eventually 2 eval '[ -n "$(route_line A 10.10.0.9)" ]'
eventually 1 as_before
ip -n A link set "$asking" down
ip -n A link set "$asking" up
eventually 1 as_before
reaches A 10.10.0.9
# A pod that comes while the service runs is known at once.
pod_at A netns05 10.10.0.5
all=$(permanent)
spoil 10.10.0.5 "$(end_of 10.10.0.5)" permanent
eventually 1 as_before
stop_node A

# And what happened while nobody looked.
spoil 10.10.0.2 "$end" permanent
start_node A
eventually 2 as_before
stop_node A
done_testing
