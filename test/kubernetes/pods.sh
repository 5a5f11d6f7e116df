#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manifest as it is makes the nodes Ready; 40 pods on two nodes; a pod's address comes back; host ports; pods that
# come and go; nothing is left of them.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
manager_options=(--node-cidr-mask-size=27)
cluster
same "the conflist's template and the manifest's" "$(manifest_part ConfigMap | jq -r '.data["conflist.json"]' | jq -c .)" \
  "$(jq -c . $conf/10-onlink.conflist.template)"
same "before" "$(kubectl get nodes --no-headers | awk '{print $2}' | sort -u)" NotReady
install_onlink
nodes_ready n1 n2
for node in n1 n2; do
  wait_for 30 "NetworkUnavailable is False on $node" node_is $node NetworkUnavailable False
  same "conflist of $node" "$(in_node $node jq -c '.plugins[0].ipam.ranges' /etc/cni/net.d/10-onlink.conflist)" "[[{\"subnet\":\"$(pod_cidr $node)\"}]]"
  wait_for 30 "$node is in order" in_order $node
done
wait_for 60 "the DaemonSet is ready" kubectl -n kube-system rollout status --timeout=1s daemonset/onlink-node

# 40 pods, each with each other, with its own node and with the other.
pods=()
for i in $(seq 20); do pods+=("pod-a$i=n1" "pod-b$i=n2"); done
run_pods "${pods[@]}"
wait_for 300 "40 pods run" pods_running 40
enter_pods
same "addresses" "$(printf '%s\n' "${pod_ip[@]}" | sort -u | wc -l)" 40
all_pairs
for name in "${!pod_ip[@]}"; do
  reaches "$name" 172.16.91.201; reaches "$name" 172.16.91.202
  nsenter --net="/run/netns/${pod_node[$name]}" ping -q -c 1 -W 3 "${pod_ip[$name]}" >/dev/null || fail "the node of $name does not reach it"
done
# A service, through kube-proxy: pods see each other's own addresses.
pod_object pod-web n1 '.metadata.labels.web = "yes" | .spec.containers[0].command = ["nc", "-ll", "-p", "80", "-e", "/bin/hostname"]
  | .spec.containers[0].ports = [{containerPort: 80, hostPort: 8080}]' | kubectl apply -f - >>$work/log/apply
kubectl apply -f - >>$work/log/apply <<END
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"web": "yes"}, "ports": [{"port": 80}]}}
END
wait_for 60 "the web pod runs" pods_running 41
service=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
answers() { # NAMESPACE ADDRESS PORT: the pod's name comes back
  [ "$(nsenter --net="/run/netns/$1" timeout 3 busybox nc "$2" "$3" </dev/null 2>/dev/null)" = pod-web ]
}
for from in pod-a1 pod-b1 n1 n2; do wait_for 60 "the service answers $from" answers $from "$service" 80; done
# The host port, by portmap: from the other node and from a pod on either.
for from in n2 pod-a1 pod-b1; do wait_for 20 "the host port answers $from" answers $from 172.16.91.201 8080; done

# The host port goes with the pod; its address comes back to the next one that needs it.
kubectl delete pod pod-web --wait=true >>$work/log/apply
no_answer() { ! answers n2 172.16.91.201 8080; }
wait_for 60 "the host port is closed" no_answer
wait_for 60 "40 leases on n1 and n2" eval '[ "$(leases n1 | wc -l) $(leases n2 | wc -l)" = "20 20" ]'
freed=$(ip_of pod-a7)
kubectl delete pod pod-a7 --wait=true >>$work/log/apply
lease_gone() { ! leases n1 | grep -qx "$freed"; }
wait_for 60 "the lease of a deleted pod is gone" lease_gone
again=
for i in $(seq 21 32); do # the subnet has 30 addresses, given out in turn
  run_pods "pod-a$i=n1"; wait_for 60 "pod-a$i runs" pods_running $((19 + i))
  [ "$(ip_of "pod-a$i")" != "$freed" ] || { again=pod-a$i; break; }
done
same "the pod that got $freed again" "${again%[0-9][0-9]}" pod-a
enter_pods
for name in pod-a1 pod-b1; do reaches $name "$freed"; reaches "$again" "${pod_ip[$name]}"; done

# What check knows of a pod here, by its name: with its lease, from within the container.
agent_check=$(nsenter -t "$(agent_of n1)" --mount --net --uts --pid /onlink-node check --json -n n1 default/pod-a1) || fail "check: $agent_check"
holds "check knows the pod" '.pods | length == 1 and (.[0].lease | startswith("/var/lib/cni/networks/onlink/10.10."))' "$agent_check"

# With metrics: the same pods go on.
kubectl apply -k "$conf/overlays/metrics" >>$work/log/apply || fail "kubectl apply -k overlays/metrics"
scraped() { curl -sf -m 5 "http://${address_of[$1]}:9469/metrics" >$work/metrics; }
for node in n1 n2; do
  wait_for 120 "metrics of $node" scraped $node
  grep -qE '^onlink_addresses_reserved\{network="onlink",state="alive"\} [1-9]' $work/metrics || fail "no addresses in the metrics of $node: $(grep addresses $work/metrics)"
  grep -qF 'onlink_peer_subnets{path="direct",state="ok"} 1' $work/metrics || fail "no peer in the metrics of $node: $(grep peers $work/metrics)"
  checks=$((checks + 2))
done
for name in pod-a1 pod-b1; do reaches $name "${pod_ip[pod-b2]}"; done

# All of them go, and nothing of them stays.
kubectl delete pods -l app=test --wait=true >>$work/log/apply
nothing_left() { [ -z "$(leases "$1")$(ip -n "$1" -o link show type veth | grep -v eth0@)$(ip -n "$1" -o route show proto 169 | grep onl)" ]; }
for node in n1 n2; do wait_for 60 "nothing is left on $node" nothing_left $node; done
done_testing
