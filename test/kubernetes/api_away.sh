#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The API server is away for a minute: no packet is lost, pods still start, an agent that starts meanwhile has what it
# knew, also after the node's routes are gone as by a reboot. Then it is back without the versions in between (a real
# 410 Gone): what changed meanwhile is found out by comparing.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
cluster
install_onlink
nodes_ready n1 n2
cidr2=$(pod_cidr n2)
run_pods pod-1=n1 pod-2=n2
wait_for 120 "two pods run" pods_running 2
# One will stay, one will be gone, one will come.
fake_node stays 172.16.91.50 10.10.50.0/24
fake_node goes 172.16.91.51 10.10.51.0/24
for node in n1 n2; do
  wait_for 60 "$node knows them" has_route $node 10.10.51.0/24 172.16.91.51
done
enter_pods
all_pairs

# A minute without the API server.
stream_from pod-1 "${pod_ip[pod-2]}"
kill_hard $api
away=$SECONDS
wait_for 30 "the agent says so" agent_said n1 'kubernetes|API'
# A pod that needs no API: kubelet starts it from a file, through the runtime and the plugin.
static_pod() { pod_object "$2" "$1" '.spec.hostname = .metadata.name | del(.spec.nodeSelector)' >"$work/$1/manifests/$2.json"; }
static_pod n1 lone-1
static_pod n2 lone-2
lone() { # NODE NAME: the process of that pod
  in_node "$1" ctr -n k8s.io tasks ls -q >/dev/null
  local process
  for process in $(in_node "$1" ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" {print $2}'); do
    [ "$(nsenter -t "$process" --uts hostname)" = "$2" ] && [ "$(cat "/proc/$process/comm")" = sleep ] && echo "$process"
  done
}
lone_runs() { [ -n "$(lone "$1" "$2")" ]; }
for i in 1 2; do wait_for 90 "a pod starts on n$i without the API" lone_runs n$i lone-$i; done
address_in() { nsenter -t "$(lone "$1" "$2" | head -1)" --net ip -j -4 addr show eth0 | jq -r '.[0].addr_info[0].local'; }
new1=$(address_in n1 lone-1) new2=$(address_in n2 lone-2)
reaches pod-1 "$new1"; reaches pod-1 "$new2"; reaches pod-2 "$new1"; reaches pod-2 "$new2"
# The agent of n1 is killed; another one starts, from what is on disk.
old=$(agent_of n1)
kill_hard "$old"
wait_for 90 "another agent on n1" agent_runs n1
while [ $((SECONDS - away)) -lt 60 ]; do sleep 1; done
stream_ends "a minute without the API server" 0

# As after a reboot of n1: no route, no rules, no /run; and still no API.
kill_hard "$(agent_of n1)"
ip -n n1 route flush proto 169 scope global
nsenter --net=/run/netns/n1 nft delete table inet onlink
in_node n1 sh -c 'rm -rf /run/onlink/*'
wait_for 120 "n1's routes come back from disk" has_route n1 "$cidr2" 172.16.91.202
wait_for 30 "all of them" has_route n1 10.10.50.0/24 172.16.91.50
wait_for 30 "pod-1 reaches pod-2 again" pings pod-1 "${pod_ip[pod-2]}"

# It comes back; meanwhile the store has forgotten the version that the agents wait for.
start_api
wait_api
nodes_ready n1 n2
for node in n1 n2; do wait_for 60 "$node has heard of it" in_order $node; done
frozen=$(agent_of n2)
kill -STOP "$frozen"
stream_from pod-1 "${pod_ip[pod-2]}"
kubectl delete node goes >>$work/log/apply
fake_node comes 172.16.91.52 10.10.52.0/24
for i in $(seq 20); do kubectl annotate --overwrite node stays "count=$i" >>$work/log/apply; done
kill_hard $api
store() { ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2379 "$@"; }
# All changes of nodes may wait in the frozen agent's socket; the version of the last of them is to be gone as well.
store put /another kind >>$work/log/apply
revision=$(store get / --write-out=json | jq .header.revision)
store compact "$revision" >>$work/log/apply
start_api_with_audit
wait_api
kill -CONT "$frozen"
wait_for 90 "n2 knows the node that came" has_route n2 10.10.52.0/24 172.16.91.52
wait_for 60 "n2 has lost the node that went" no_route n2 10.10.51.0/24
wait_for 10 "n2 kept the one that stayed" has_route n2 10.10.50.0/24 172.16.91.50
same "the agent of n2" "$(agent_of n2)" "$frozen"
# Nothing but the answer that its version is gone makes a running agent ask for the list again.
listed_again() { jq -e --arg address 172.16.91.202 'select(.verb == "list" and .sourceIPs[0] == $address)' $work/audit.log; }
wait_for 30 "n2 was told that its version is gone" listed_again
stream_ends "the history is compacted" 0

# The server freezes, for its kernel everything goes on: it is told, and nothing happens to anybody.
silent='no word from the API since 2'
declare -A said_before=()
for node in n1 n2; do said_before[$node]=$(agent_log $node | grep -c "$silent") || true; done
stream_from pod-1 "${pod_ip[pod-2]}"
kill -STOP $api
for node in n1 n2; do wait_for 150 "$node has noticed that nothing comes" agent_says_often $node "$silent" $((said_before[$node] + 1)); done
has_route n1 10.10.52.0/24 172.16.91.52 || fail "a frozen API server withdrew a route"
kill -CONT $api
for node in n1 n2; do wait_for 120 "$node hears of it again" in_order $node; done
stream_ends "a frozen API server" 0
nodes_ready n1 n2
talking_pods 4 pod-3=n1 pod-4=n2
done_testing
