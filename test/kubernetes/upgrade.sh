#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's upgrade, and back, beside pods that talk; changed rules without a restart; its removal, after which nothing
# of it is left.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
cluster
untouched() { # NODE: what somebody would find there
  nsenter --net="/run/netns/$1" sh -c 'ip -j route show proto 169; nft -j list tables | jq -c ".nftables[1:]|map(select(.table.name == \"onlink\"))"
    ip -j addr show tunl0 2>/dev/null | jq -c ".[0].addr_info"'
  in_node "$1" sh -c 'cd /; find run/onlink var/lib/onlink etc/cni opt/cni/bin -type f 2>/dev/null | sort'
}
before=$(untouched n1)
install_onlink
nodes_ready n1 n2
talking_pods 2 pod-1=n1 pod-2=n2

# Another image: other programs, other bytes.
mkdir $work/newer
for program in onlink onlink-ipam onlink-node; do
  echo newer >$work/note
  objcopy --add-section .note.newer=$work/note --set-section-flags .note.newer=noload,readonly "$bin/$program" $work/newer/$program
done
ONLINK_BIN=$work/newer "$repository/hack/image" $work/newer.tar localhost/onlink-node:newer >$work/log/image 2>&1 || fail "hack/image: $(cat $work/log/image)"
for node in n1 n2; do import_image $node $work/newer.tar; done
plugin_of() { in_node "$1" sha256sum /opt/cni/bin/onlink | cut -d' ' -f1; }
old=$(plugin_of n1)
rolled_out() { kubectl -n kube-system rollout status --timeout=1s daemonset/onlink-node; }
roll() { # WHAT COMMAND...: beside traffic, and pods that start
  stream_from pod-1 "${pod_ip[pod-2]}" 172.16.91.202
  "${@:2}" >>$work/log/apply || fail "$1"
  run_pods "pod-during-$RANDOM=n1" "pod-during-$RANDOM=n2"
  wait_for 180 "$1: rolled out" rolled_out
  wait_for 120 "$1: pods run" pods_running "$((running += 2))"
  stream_ends "$1" 0
}
running=2
roll upgrade kubectl -n kube-system set image daemonset/onlink-node install=localhost/onlink-node:newer onlink-node=localhost/onlink-node:newer
new=$(plugin_of n1)
checks=$((checks + 1))
[ "$new" != "$old" ] || fail "the plugin is the old one"
same "plugin of n2" "$(plugin_of n2)" "$new"
roll "the way back" kubectl -n kube-system rollout undo daemonset/onlink-node
same "plugin of n1" "$(plugin_of n1)" "$old"
enter_pods
all_pairs

# Other rules: the kubelet brings the ConfigMap to the nodes within about a minute; nothing is restarted.
agents="$(agent_of n1) $(agent_of n2)"
stream_from pod-1 "${pod_ip[pod-2]}"
kubectl -n kube-system get configmap onlink-node -o json |
  jq '.data["cluster.json"] |= (fromjson | .masquerade = false | tojson)' | kubectl apply -f - >>$work/log/apply 2>&1
unmasked() { ! nsenter --net="/run/netns/$1" nft list table inet onlink | grep -q masquerade; }
for node in n1 n2; do wait_for 150 "masquerade is off on $node" unmasked $node; done
stream_ends "other rules" 0
same "agents" "$(agent_of n1) $(agent_of n2)" "$agents"

# Removal as the README has it. The pods are gone before.
kubectl delete pods -l app=test --wait=true >>$work/log/apply
no_pod_left() { [ -z "$(leases "$1")$(ip -n "$1" -o link show type veth | grep -v eth0@)" ]; }
for node in n1 n2; do wait_for 90 "the pods' interfaces are gone from $node" no_pod_left $node; done
kubectl -n kube-system delete daemonset onlink-node >>$work/log/apply
no_agent() { [ -z "$(agent_of n1)$(agent_of n2)" ]; }
wait_for 60 "no agent" no_agent
kubectl apply -k "$conf/remove" >>$work/log/apply
wait_for 120 "removed" kubectl -n kube-system rollout status --timeout=1s daemonset/onlink-node-remove
for node in n1 n2; do wait_for 60 "$node is not Ready" node_is $node Ready False; done
same "the condition NetworkUnavailable" "$(kubectl get node n1 -o json | jq -c '[.status.conditions[] | select(.type == "NetworkUnavailable" and .status == "False")]')" "[]"
kubectl delete --ignore-not-found -f "$conf/remove/remove.yaml" -f "$manifest" >>$work/log/apply
for node in n1 n2; do in_node $node rm -r /opt/cni/bin/onlink /opt/cni/bin/onlink-ipam /run/onlink /var/lib/onlink; done
until_true 60 eval '[ "$(untouched n1)" = "$before" ]' || true
same "what is there, without onlink" "$(untouched n1)" "$before"
done_testing
