# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder after lib.bash: onlink in the cluster, pods, and traffic between them.

onlink_image=${ONLINK_IMAGE:-$repository/build/onlink-node.tar}
[ -e "$onlink_image" ] || skip "no image (hack/image)"
manifest=$conf/base/onlink.yaml

# install_onlink: the manifest as it is. Nodes that join later need bring_image before.
bring_image() { import_image "$1" "$onlink_image"; }
install_onlink() {
  local node
  for node in "${!holder_of[@]}"; do bring_image "$node"; done
  kubectl apply -k "$conf/overlays/kubeadm" >$work/log/apply || fail "kubectl apply -k overlays/kubeadm"
}
nodes_ready() { # NODE...
  local node
  for node in "$@"; do wait_for ${ready_limit:-180} "$node is Ready" node_is "$node" Ready True; done
}
# agent_of NODE: the process of `onlink-node run` there, if any.
agent_of() {
  local netns pid
  netns=$(stat -Lc %i "/run/netns/$1")
  for pid in $(pgrep -x onlink-node); do
    [ "$(stat -Lc %i "/proc/$pid/ns/net" 2>/dev/null)" = "$netns" ] && grep -qzx run "/proc/$pid/cmdline" && echo "$pid"
  done
  return 0
}
agent_runs() { [ -n "$(agent_of "$1")" ]; }
# agent_log NODE: what its agent said, those before included.
agent_log() { in_node "$1" sh -c 'cat /var/log/pods/kube-system_onlink-node-*/onlink-node/*.log'; }
agent_said() { agent_log "$1" 2>/dev/null | grep -qE "$2"; } # NODE PATTERN
agent_says_often() { [ "$(agent_log "$1" 2>/dev/null | grep -cE "$2")" -ge "$3" ]; } # NODE PATTERN COUNT
pod_cidr() { kubectl get node "$1" -o 'jsonpath={.spec.podCIDR}'; }
# has_route NODE PREFIX GATEWAY; no_route NODE PREFIX
has_route() { ip -n "$1" -j route show "$2" proto 169 | jq -e --arg gateway "$3" 'any(.gateway == $gateway)' >/dev/null; }
no_route() { [ "$(ip -n "$1" -j route show "$2")" = '[]' ]; }
# Everything in order, as onlink-node itself sees it.
in_order() {
  local pid
  pid=$(agent_of "$1")
  [ -n "$pid" ] && ONLINK_NODE=$1 nsenter -t "$pid" --mount --net --uts --pid /onlink-node status >/dev/null 2>&1
}

# The same without the DaemonSet: a process of the test's own on a node, with the manifest's rights and rules, and the
# token of the file $work/token. account: makes the rights; it needs no kubelet.
manifest_part() { kubectl create --dry-run=client -f "$manifest" -o json | jq -c --arg kind "$1" 'select(.kind == $kind)'; }
account() {
  local kind
  for kind in ServiceAccount ClusterRole ClusterRoleBinding; do manifest_part $kind; done | kubectl apply -f - >>$work/log/apply
  manifest_part ConfigMap | jq -r '.data["conflist.json"]' >$work/conflist.json
  manifest_part ConfigMap | jq -r '.data["cluster.json"]' | jq --arg folder $work '.source.kubeconfig = $folder + "/agent.conf" |
    .source.conflist = {template: ($folder + "/conflist.json"), path: "/etc/cni/net.d/10-onlink.conflist"}' >$work/cluster.json
  kubeconfig $work/agent.conf unused
  jq --arg file $work/token '.users[0].user = {tokenFile: $file}' $work/agent.conf >$work/agent.new
  mv $work/agent.new $work/agent.conf
}
# new_token SECRET: prints one that is good for as long as this secret exists.
new_token() {
  kubectl -n kube-system create secret generic "$1" >>$work/log/apply || fail "secret $1"
  jq -n --arg name "$1" --arg uid "$(kubectl -n kube-system get secret "$1" -o 'jsonpath={.metadata.uid}')" '{
    apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {expirationSeconds: 3600,
      boundObjectRef: {apiVersion: "v1", kind: "Secret", name: $name, uid: $uid}}}' |
    kubectl create --raw /api/v1/namespaces/kube-system/serviceaccounts/onlink-node/token -f - | jq -r .status.token
}
write_token() { new_token "$1" >$work/token.new && mv $work/token.new $work/token; }
start_agent() { # NODE: its process in ${agent[NODE]}, its words in $work/log/onlink-node-NODE
  in_node "$1" mkdir -p /etc/cni/net.d
  in_node "$1" "$bin/onlink-node" install >/dev/null
  start_on "$1" "$bin/onlink-node" run --config $work/cluster.json --node "$1"
  agent[$1]=$started
}
declare -A agent=()
said() { grep -qE "$2" "$work/log/onlink-node-$1"; } # NODE PATTERN
# The API server writes what onlink-node asks to $work/audit.log.
start_api_with_audit() {
  cat >$work/audit.yaml <<END
{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
 "rules": [{"level": "Metadata", "users": ["system:serviceaccount:kube-system:onlink-node"]}]}
END
  : >$work/audit.log
  start_api --audit-policy-file=$work/audit.yaml --audit-log-path=$work/audit.log
}
# A Node without a machine behind it.
fake_node() { # NAME ADDRESS SUBNET
  jq -n --arg name "$1" --arg address "$2" --arg cidr "$3" '{apiVersion: "v1", kind: "Node", metadata: {name: $name},
    spec: {podCIDR: $cidr, podCIDRs: [$cidr]}, status: {addresses: [{type: "InternalIP", address: $address}]}}' |
    kubectl create -f - >>$work/log/apply || fail "Node $1"
}

# run_pods NAME=NODE...: pods that wait; pod_objects prints them.
pod_object() { # NAME NODE [JQ-PROGRAM]
  jq -n --arg name "$1" --arg node "$2" --arg image $image '{
    apiVersion: "v1", kind: "Pod", metadata: {name: $name, labels: {app: "test"}},
    spec: {automountServiceAccountToken: false, terminationGracePeriodSeconds: 0, enableServiceLinks: false,
      nodeSelector: {"kubernetes.io/hostname": $node},
      containers: [{name: "c", image: $image, imagePullPolicy: "Never", command: ["sleep", "1000000"]}]}}' | jq "${3:-.}"
}
run_pods() {
  local pod
  for pod in "$@"; do pod_object "${pod%=*}" "${pod#*=}"; done | kubectl apply -f - >>$work/log/apply || fail "kubectl apply of pods"
}
pods_running() { # NUMBER
  [ "$(kubectl get pods -l app=test -o json 2>/dev/null |
    jq '[.items[] | select(.status.phase == "Running" and .metadata.deletionTimestamp == null)] | length')" = "$1" ]
}
no_pod() { ! kubectl get pod "$1" >/dev/null 2>&1; }
ip_of() { kubectl get pod "$1" -o 'jsonpath={.status.podIP}'; }
# enter_pods: a namespace of each running pod's own name, for ip, nsenter and talk.py; their addresses in pod_ip.
declare -A pod_ip=() pod_node=()
enter_pods() {
  local name node address container process
  for name in $(ip netns list | awk '/^pod/ {print $1}'); do ip netns del "$name"; done
  pod_ip=() pod_node=()
  while read -r name node address container; do
    process=$(in_node "$node" ctr -n k8s.io tasks ls | awk -v c="$container" '$1 == c {print $2}')
    ip netns attach "$name" "$process" || fail "namespace of $name"
    pod_ip[$name]=$address pod_node[$name]=$node
  done < <(kubectl get pods -l app=test -o json | jq -r '.items[] | select(.status.phase == "Running") |
    [.metadata.name, .spec.nodeName, .status.podIP, (.status.containerStatuses[0].containerID | sub("containerd://"; ""))] | join(" ")')
}
reaches() { checks=$((checks + 1)); nsenter --net="/run/netns/$1" ping -q -c 1 -W 3 "$2" >/dev/null || { explain_failure; fail "$1 does not reach $2"; }; }
pings() { nsenter --net="/run/netns/$1" ping -q -c 1 -W 1 "$2" >/dev/null 2>&1; }
# all_pairs: every pod with every other, both ways: ping and 1 MB over TCP.
all_pairs() {
  local name arguments=() count=${#pod_ip[@]}
  for name in "${!pod_ip[@]}"; do arguments+=("$name=${pod_ip[$name]}"); done
  /usr/bin/python3 "$talk" pairs "${arguments[@]}" >$work/talk 2>&1 || { explain_failure; fail "$(cat $work/talk)"; }
  same "pairs of pods that talk" "$(cat $work/talk)" "$((count * (count - 1))) pairs"
}
# talking_pods NUMBER NAME=NODE...: more pods; then there are so many, and each reaches every other.
talking_pods() {
  run_pods "${@:2}"
  wait_for 120 "$1 pods run" pods_running "$1"
  enter_pods
  all_pairs
}
# stream_from POD ADDRESS...: 200 pings a second until stream_ends, which prints what was lost of what was sent.
stream_from() {
  /usr/bin/python3 "$talk" stream 600 "$@" >$work/stream 2>&1 &
  streaming=$!
}
stream_ends() { # WHAT MOST-LOST
  kill -TERM $streaming
  wait $streaming || fail "stream: $(cat $work/stream)"
  local lost sent
  lost=$(jq '[.[].lost] | add' $work/stream) sent=$(jq '[.[].sent] | add' $work/stream)
  echo "  $1: $lost of $sent packets lost"
  checks=$((checks + 1))
  [ "$lost" -le "$2" ] || fail "$1: more than $2 packets lost"
}
leases() { in_node "$1" sh -c 'ls /var/lib/cni/networks/onlink 2>/dev/null | grep -E "^[0-9.]+$" | sort'; }
