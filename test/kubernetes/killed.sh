#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# onlink-node is killed at any moment, forty times, while nodes come and go and pods are made: no packet is lost, and in
# the end everything is as the API says.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
cluster
account
write_token token
for node in n1 n2; do start_agent $node; done
nodes_ready n1 n2
talking_pods 2 pod-1=n1 pod-2=n2
for node in n1 n2; do stop "${agent[$node]}"; done

supervisors=()
# Something that starts it again, as the kubelet or systemd would.
supervise() { # NODE
  while [ ! -e $work/enough ]; do
    nsenter -t "${holder_of[$1]}" --net --mount --uts -- "$bin/onlink-node" run --config $work/cluster.json --node "$1" \
      >>"$work/log/onlink-node-$1" 2>&1 || true
  done
}
for node in n1 n2; do supervise $node 2>/dev/null & supervisors+=($!); done
stream_from pod-1 "${pod_ip[pod-2]}" 172.16.91.202
RANDOM=7 # the same moments each time, as far as a machine allows it
kills=0
for round in $(seq 20); do
  fake_node "fake$round" 172.16.91.$((20 + round)) 10.10.$((100 + round)).0/24
  [ $((round % 2)) = 0 ] || [ $round -lt 3 ] || kubectl delete node "fake$((round - 2))" >>$work/log/apply
  [ $((round % 5)) != 0 ] || run_pods "pod-x$round=n1" "pod-y$round=n2"
  for node in n1 n2; do
    sleep 0.$((RANDOM % 10))$((RANDOM % 10))
    process=$(agent_of $node | head -1)
    [ -z "$process" ] || { kill -9 "$process" && kills=$((kills + 1)); }
  done
done
echo "  kills: $kills"
checks=$((checks + 1))
[ $kills -ge 20 ] || fail "only $kills kills"
wait_for 120 "ten pods run" pods_running 10
wait_for 60 "the last node is known to n1" has_route n1 10.10.120.0/24 172.16.91.40
stream_ends "$kills kills" 0
expected=$(kubectl get nodes -o json | jq -r '.items[].spec.podCIDR' | sort | tr '\n' ' ')
as_expected() { [ "$(ip -n "$1" -j route show proto 169 | jq -r '.[] | select(.dst | contains("/")) | .dst' | sort | tr '\n' ' ')" = "$expected" ]; }
for node in n1 n2; do wait_for 60 "$node has a route for each node" as_expected $node; done
enter_pods
all_pairs
touch $work/enough
for node in n1 n2; do kill "$(agent_of $node)" 2>/dev/null || true; done
for process in "${supervisors[@]}"; do wait "$process" || true; done
same "leftovers in the folders" "$(in_node n1 sh -c 'ls -A /etc/cni/net.d /run/onlink /var/lib/onlink' | grep -c tmp)" 0
done_testing
