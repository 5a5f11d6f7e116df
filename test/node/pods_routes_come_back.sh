#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Somebody flushes our routes, or sets a pod's end on the host down and up: `run` gives each pod back what it had.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
seed_cluster
end_of() { ip -n A -j route show "$1" proto 169 | jq -r '.[0].dev'; }
end=$(end_of 10.10.0.2)
other=$(end_of 10.10.0.3)
pod_routes() { ip -n A route show proto 169 | grep 'scope link' | sed 's/ *$//' | sort; }
neighbours() { ip -n A neigh show nud permanent | sed 's/ *$//' | sort; }
routes=$(pod_routes) known=$(neighbours)
same "two pods" "$(wc -l <<<"$routes") $(wc -l <<<"$known")" "2 2"
as_before() { [ "$(pod_routes)" = "$routes" ] && [ "$(neighbours)" = "$known" ]; }

start_node A
eventually 2 grep -q 'ip route add 10.10.1.0/24' "$work/A/log"
ip -n A route flush proto 169
eventually 2 as_before
reaches A 10.10.0.2
grep -q "ip route add 10.10.0.2/32 dev $end proto 169 scope link (it was lost)" "$work/A/log" || fail "it is not told: $(cat "$work/A/log")"
ip -n A link set "$end" down
ip -n A link set "$end" up
eventually 2 as_before
reaches A 10.10.0.2
ip -n A route del 10.10.0.3
eventually 2 as_before

# The neighbour alone (`ip neigh flush` goes on until none is there, and gives up where each comes back at once);
# and what somebody of our protocol puts in the route's place, whatever its shape.
ip -n A neigh del 10.10.0.2 dev "$end"
eventually 2 as_before
for shape in "via 172.16.91.202" "dev eth0" "dev eth0 metric 0 mtu 900"; do
  # shellcheck disable=SC2086
  ip -n A route replace 10.10.0.2 $shape proto 169
  eventually 2 as_before
done
ip -n A route replace blackhole 10.10.0.2 proto 169
eventually 2 as_before

# Without forwarding on its end nothing that it sends goes anywhere; while the host forwards nothing, that is not the end's affair.
forwarding() { on A cat "/proc/sys/net/ipv4/conf/$end/forwarding"; }
set_forwarding() { on A sh -c "echo $2 >/proc/sys/net/ipv4/conf/$1/forwarding"; }
set_forwarding "$end" 0
eventually 2 eval '[ "$(forwarding)" = 1 ]'
reaches netns01 10.10.0.3
set_forwarding all 0
eventually 2 eval '[ "$(forwarding)" = 1 ]'
same "of one end alone" "$(grep -c "sysctl -w net/ipv4/conf/onl.*/forwarding=1 (it was lost)" "$work/A/log")" 1

# A pod may give itself any address: it gets back what it had, and no more.
ip -n netns02 addr add 10.10.0.77/32 dev eth0
ip -n A route del 10.10.0.3
eventually 2 as_before
# An address that somebody else has by now stays theirs.
ip -n A link set "$end" down
ip -n A route add 10.10.0.2/32 dev "$other" proto static
ip -n A link set "$end" up
eventually 2 grep -q '10.10.0.2 of onlink pods netns01 eth0 is routed elsewhere: left alone' "$work/A/log"
eventually 2 eval 'node A status; [ "$status" = 1 ] && [[ $out == *"problem: 10.10.0.2 of onlink pods netns01 eth0 is routed elsewhere: left alone"* ]]'
same "the other's route" "$(route_line A 10.10.0.2)" "10.10.0.2 dev $other proto static scope link"
same "said once" "$(grep -c 'is routed elsewhere: left alone' "$work/A/log")" 1
# Until they take it away.
ip -n A route del 10.10.0.2
eventually 2 as_before
eventually 2 eval 'node A status; [ "$status" = 0 ]'
stop_node A
ip -n netns02 addr del 10.10.0.77/32 dev eth0

# Lost while nobody looked: the kernel tells the pods' addresses.
ip -n A route flush proto 169
ip -n A link set "$other" down
ip -n A link set "$other" up
set_forwarding "$end" 0
start_node A
eventually 2 as_before
eventually 2 eval '[ "$(forwarding)" = 1 ]'
reaches A 10.10.0.3
all_pods_talk_now() { reaches netns01 10.10.0.3; reaches netns02 10.10.0.2; }
all_pods_talk_now

# A pod that goes takes its route along, and nobody brings it back.
ip netns del netns02
eventually 2 eval '[ -z "$(ip -n A route show 10.10.0.3)" ]'
sleep 0.2
same "nothing comes back" "$(ip -n A route show 10.10.0.3)" ""
stop_node A
done_testing
