#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 5,000 nodes with their heartbeats, from a real API server: how long until everything is applied, what a heartbeat
# costs, how much memory is needed. The figures are printed; what is asserted is that the routes are right.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
count=${ONLINK_NODES:-5000}
lan_length=16
control_plane n1
make_machine n1 172.16.91.201
fake_node n1 172.16.91.201 10.10.0.0/24
export SERVER=$control:6443 CA=$work/pki/ca.crt TOKEN=admin
many() { /usr/bin/python3 "$(dirname "$0")/nodes.py" "$@" || fail "nodes.py $*"; }
many create "$count"
account
write_token token

routes() { ip -n n1 route show proto 169 | grep -c ' via ' || true; }
all_routes() { [ "$(routes)" -ge "$1" ]; }
cpu() { awk '{print int($1 / 1000)}' "/proc/$1/schedstat"; } # microseconds
memory() { awk -v key="$2" '$1 == key":" {print int($2 / 1024)}' "/proc/$1/status"; }
before=$(date +%s%N)
start_agent n1
process=$started
wait_for 300 "all routes" all_routes "$count"
after=$(date +%s%N)
wait_for 60 "the condition" node_is n1 NetworkUnavailable False
first=$(cpu "$process")
echo "  $count nodes: all routes after $(((after - before) / 1000000)) ms; $((first / 1000)) ms of CPU time," \
  "memory $(memory "$process" VmRSS) MiB, at most $(memory "$process" VmHWM) MiB"

# Idle, then heartbeats: as many a second as 5,000 kubelets of this version send at most (each every 10 s), or fewer
# where the API server of this machine cannot.
sleep 5
idle=$(cpu "$process"); sleep 10; idle=$((($(cpu "$process") - idle) / 10))
passes() { in_node n1 jq .passes /run/onlink/service.json; }
passes_before=$(passes)
start=$(cpu "$process") start_time=$SECONDS
told=$(many heartbeat "$count" 500)
# The last of them are on their way for long where the machine is busy: until there are seconds with next to nothing.
quiet() { local before; before=$(cpu "$process"); sleep 3; [ $(($(cpu "$process") - before)) -lt 5000 ]; }
wait_for 120 "nothing more to do after the heartbeats" quiet
spent=$(($(cpu "$process") - start - idle * (SECONDS - start_time)))
echo "  $(jq -r '"\(.heartbeats) heartbeats in \(.seconds) s"' <<<"$told"): $((spent / count)) us of CPU time each;" \
  "idle $idle us a second; memory $(memory "$process" VmRSS) MiB"
same "routes" "$(routes)" "$count"
checks=$((checks + 1))
[ $(($(passes) - passes_before)) -le 5 ] || fail "heartbeats made $(($(passes) - passes_before)) passes"

# One node more, and one less, among so many.
cpu_before=$(cpu "$process")
fake_node one-more 172.16.91.77 10.11.0.0/24
wait_for 120 "a route for one node more" has_route n1 10.11.0.0/24 172.16.91.77
wait_for 60 "nothing more to do" quiet
more=$(($(cpu "$process") - cpu_before)) cpu_before=$(cpu "$process")
kubectl delete node one-more >>$work/log/apply
wait_for 120 "no route for one node less" no_route n1 10.11.0.0/24
wait_for 60 "nothing more to do" quiet
echo "  one node more: $((more / 1000)) ms of CPU time; one less: $((($(cpu "$process") - cpu_before) / 1000)) ms"

# A restart with everything in place changes nothing.
monitor() { exec nsenter --net=/run/netns/n1 ip monitor route; }
monitor >$work/changes 2>&1 & watching=$!
stop "${agent[n1]}"
start_agent n1
process=$started
wait_for 60 "in sync again" eval 'in_node n1 jq -e ".complete and .passes > 0" /run/onlink/service.json'
sleep 2
kill $watching
same "changes to routes by a restart" "$(grep -c 'proto 169' $work/changes)" 0
echo "  after a restart: $(($(cpu "$process") / 1000)) ms of CPU time, memory at most $(memory "$process" VmHWM) MiB"
done_testing
