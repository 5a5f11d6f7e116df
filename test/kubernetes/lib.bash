# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder: a Kubernetes of two nodes inside the test's own namespaces. The script's network
# namespace holds etcd, the API server, the controller manager and the scheduler; each node is a network, mount and host
# name namespace with a containerd, a kubelet and a kube-proxy, on a bridge. Whatever is made goes with the script.
needs_cgroups=1
# shellcheck source=../runtime/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../runtime/lib.bash"
kube=${ONLINK_KUBERNETES:?is the folder that test/kubernetes/build prints}/bin
conf=$repository/conf/kubernetes
for needed in "$kube/kubelet kubernetes" "etcd etcd-server" "etcdctl etcd-client" "containerd containerd" "runc runc" \
  "openssl openssl" "busybox busybox-static" "$reference/portmap containernetworking-plugins" "conntrack conntrack" \
  "iptables iptables" "curl curl" "jq jq"; do
  need ${needed}
done
export PATH=$kube:$PATH # before another kubectl of the machine
talk=$repository/test/node/talk.py
control=172.16.91.1
server=https://$control:6443
declare -A address_of=() address6_of=() holder_of=() containerd_of=() kubelet_of=()

# Each check waits for minutes, and none makes sense without those before it: the first that fails ends the test.
most_failures=1

# start NAME COMMAND...: in the background, its words in $work/log/NAME, its process in $started.
mkdir -p $work/log
start() {
  (exec "${@:2}") >>"$work/log/$1" 2>&1 </dev/null &
  started=$!
}
# stop PROCESS: and wait until it is gone. kill_hard the same, without asking.
stop() { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
kill_hard() { kill -9 "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
# wait_for SECONDS WHAT COMMAND...: the command becomes true, or the test has failed. The machine may be busy.
wait_for() {
  checks=$((checks + 1))
  until_true "$1" "${@:3}" >/dev/null 2>&1 || { explain_failure; fail "not within $1 s: $2"; }
}
explain_failure() { # what a person would look at first, last
  {
    tail -n ${explain_lines:-3} $work/log/* | cut -c 1-250
    kubectl --request-timeout=5s get nodes,pods -A -o wide || true
    local node
    for node in "${!holder_of[@]}"; do in_node "$node" sh -c 'tail -n 12 /var/log/pods/kube-system_onlink*/*/*.log' || true; done
  } >&2 2>&1
}

# --- the control plane ---
certificate() { # NAME SUBJECT ALTERNATIVE-NAMES
  openssl req -new -newkey rsa:2048 -nodes -keyout "$work/pki/$1.key" -subj "$2" -out "$work/pki/$1.csr" 2>/dev/null
  openssl x509 -req -in "$work/pki/$1.csr" -CA $work/pki/ca.crt -CAkey $work/pki/ca.key -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=$3") -out "$work/pki/$1.crt" 2>/dev/null
}
kubeconfig() { # FILE TOKEN
  cat >"$1" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "c",
 "clusters": [{"name": "c", "cluster": {"server": "$server", "certificate-authority": "$work/pki/ca.crt"}}],
 "users": [{"name": "u", "user": {"token": "$2"}}],
 "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
END
}
make_credentials() {
  mkdir $work/pki
  openssl req -x509 -newkey rsa:2048 -nodes -keyout $work/pki/ca.key -out $work/pki/ca.crt -days 30 -subj /CN=test-ca 2>/dev/null
  certificate server /CN=kube-apiserver "IP:$control,IP:10.96.0.1,DNS:kubernetes.default.svc"
  openssl genrsa -out $work/pki/accounts.key 2048 2>/dev/null
  echo 'admin,admin,admin,"system:masters"' >$work/pki/tokens
  local name
  for name in "$@"; do echo "$name,system:node:$name,$name,\"system:nodes\"" >>$work/pki/tokens; done
  kubeconfig $work/admin.conf admin
  export KUBECONFIG=$work/admin.conf
}
start_etcd() {
  start etcd etcd --data-dir $work/etcd --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}
start_api() {
  start api kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=$control \
    --advertise-address=$control --insecure-port=0 --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file=$work/pki/server.crt --tls-private-key-file=$work/pki/server.key --client-ca-file=$work/pki/ca.crt \
    --service-account-key-file=$work/pki/accounts.key --service-account-signing-key-file=$work/pki/accounts.key \
    --service-account-issuer=https://kubernetes.default.svc --token-auth-file=$work/pki/tokens \
    --authorization-mode=Node,RBAC --allow-privileged=false --cert-dir=$work/api --etcd-compaction-interval=0 "${api_options[@]}" "$@"
  api=$started
}
api_ready() { [ "$(kubectl --request-timeout=2s get --raw /readyz 2>/dev/null)" = ok ]; }
wait_api() { wait_for 120 "the API server answers" api_ready; }
start_managers() {
  start manager kube-controller-manager --kubeconfig=$work/admin.conf --allocate-node-cidrs --cluster-cidr=10.10.0.0/16 \
    --service-cluster-ip-range=10.96.0.0/16 --service-account-private-key-file=$work/pki/accounts.key \
    --root-ca-file=$work/pki/ca.crt --port=0 --leader-elect=false --node-monitor-period=1s \
    --concurrent-serviceaccount-token-syncs=5 "${manager_options[@]}"
  manager=$started
  start scheduler kube-scheduler --kubeconfig=$work/admin.conf --port=0 --leader-elect=false
}
api_options=() manager_options=() kubelet_options=()
lan_length=24
control_plane() { # NODE...: names that may join
  ip link add lan type bridge
  ip addr add $control/$lan_length dev lan
  ip link set lan up
  make_credentials "$@"
  start_etcd
  start_api
  wait_api
}

# --- nodes ---
# An image of one static program, for the sandboxes and the pods, as a docker archive.
image=onlink.test/busybox:1
make_image() {
  local layer
  mkdir $work/image
  root_of_busybox $work/image/root
  mkdir -p $work/image/root/etc
  tar -C $work/image/root -cf $work/image/layer.tar .
  layer=$(sha256sum <$work/image/layer.tar | cut -d' ' -f1)
  echo '{"architecture":"'"$(dpkg --print-architecture)"'","os":"linux","config":{"Cmd":["sleep","1000000"],"Env":["PATH=/bin"]},
    "rootfs":{"type":"layers","diff_ids":["sha256:'"$layer"'"]}}' >$work/image/config.json
  echo '[{"Config":"config.json","RepoTags":["'$image'"],"Layers":["layer.tar"]}]' >$work/image/manifest.json
  tar -C $work/image -cf $work/busybox.tar manifest.json config.json layer.tar
  rm -rf $work/image
}
# in_node NODE COMMAND...
in_node() { nsenter -t "${holder_of[$1]}" --net --mount --uts -- "${@:2}"; }

# start_on NODE PROGRAM ARGUMENT...: nsenter becomes the program, so $started is its process.
start_on() { start "$(basename "$2")-$1" nsenter -t "${holder_of[$1]}" --net --mount --uts -- "${@:2}"; }

# What kubelet would set for the whole machine: it finds these files instead, as it wants them.
kernel_settings="vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
                 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000"
make_machine() { # NODE ADDRESS: the namespaces, without a program
  local node=$1 own=$work/$1 setting
  address_of[$node]=$2
  pod "$node"
  ip link add "lan-$node" type veth peer name eth0 netns "$node"
  ip link set "lan-$node" master lan up
  ip -n "$node" addr add "$2/$lan_length" dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" route add default via $control
  nsenter --net="/run/netns/$node" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' # as kubeadm asks for
  mkdir -p "$own"/{etc,etc-work,run/work,lib,settings}
  nsenter --net="/run/netns/$node" unshare --mount --uts --propagation private bash -c '
    set -e
    own=$1
    hostname "$2"
    mount -t overlay -o "lowerdir=/etc,upperdir=$own/etc,workdir=$own/etc-work" overlay /etc
    rm -rf /etc/cni
    mount -t tmpfs tmpfs /opt && mkdir -p /opt/cni/bin && cp "$3"/{loopback,portmap} /opt/cni/bin/
    for setting in $4; do
      echo "${setting#*=}" >"$own/settings/$(basename "${setting%=*}")"
      mount --bind "$own/settings/$(basename "${setting%=*}")" "/proc/sys/${setting%=*}"
    done
    mount -t tmpfs tmpfs /var/log
    mount --bind "$own/lib" /var/lib
    mount --bind /run/work "$own/run/work"
    mount --rbind "$own/run" /run
    touch /run/ready
    exec sleep infinity' node "$own" "$node" $reference "$kernel_settings" >"$work/log/$node" 2>&1 &
  holder_of[$node]=$!
  wait_for 10 "namespaces of $node" test -e "$own/run/ready"
}
start_containerd() { # NODE
  local own=$work/$1
  mkdir -p "$own/containerd"
  cat >"$own/containerd/config.toml" <<END
version = 2
root = "$own/containerd/root"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$image"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
END
  start_on "$1" containerd --config "$own/containerd/config.toml"
  containerd_of[$1]=$started
  wait_for 60 "containerd of $1" on_ctr "$1" version
}
on_ctr() { in_node "$1" ctr -n k8s.io "${@:2}" >/dev/null 2>&1; }
import_image() { in_node "$1" ctr -n k8s.io image import "$2" >>"$work/log/import" 2>&1 || fail "import $2 in $1: $(tail -2 $work/log/import)"; }
start_kubelet() { # NODE
  local own=$work/$1
  mkdir -p "$own/kubelet" "$own/manifests"
  kubeconfig "$own/kubelet.conf" "$1"
  cat >"$own/kubelet.json" <<END
{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": "${address_of[$1]}",
 "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}}, "authorization": {"mode": "AlwaysAllow"},
 "cgroupDriver": "cgroupfs", "cgroupsPerQOS": false, "enforceNodeAllocatable": [], "failSwapOn": false,
 "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%"}, "resolvConf": "",
 "imageGCHighThresholdPercent": 100, "staticPodPath": "$own/manifests", "fileCheckFrequency": "1s", "registryPullQPS": 0,
 "nodeStatusUpdateFrequency": "2s", "kubeAPIQPS": 50, "kubeAPIBurst": 100, "healthzPort": 0, "volumeStatsAggPeriod": "0s"}
END
  start_on "$1" kubelet --config="$own/kubelet.json" --kubeconfig="$own/kubelet.conf" \
    --container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock \
    --root-dir="$own/kubelet" --cert-dir="$own/kubelet-pki" --node-ip="${address_of[$1]}${address6_of[$1]:+,${address6_of[$1]}}" --hostname-override="$1" "${kubelet_options[@]}"
  kubelet_of[$1]=$started
}
start_proxy() { # NODE: the service addresses, that of the API server among them
  start_on "$1" kube-proxy --kubeconfig=$work/admin.conf --proxy-mode=iptables --cluster-cidr=10.10.0.0/16 \
    --conntrack-max-per-core=0 --conntrack-min=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
    --hostname-override="$1" --bind-address="${address_of[$1]}"
}
join() { # NODE ADDRESS
  make_machine "$1" "$2"
  start_containerd "$1"
  import_image "$1" $work/busybox.tar
  start_kubelet "$1"
  start_proxy "$1"
}
node_is() { # NODE CONDITION STATUS
  [ "$(kubectl get node "$1" -o json 2>/dev/null | jq -r --arg c "$2" '.status.conditions[]? | select(.type == $c).status')" = "$3" ]
}
cluster() { # the two nodes of every test, not Ready: nothing has given them a network
  make_image
  control_plane n1 n2 n3 n4
  start_managers
  join n1 172.16.91.201
  join n2 172.16.91.202
  wait_for 120 "n1 is known" node_is n1 Ready False
  wait_for 120 "n2 is known" node_is n2 Ready False
}
