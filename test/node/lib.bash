# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of onlink-node: hosts, wires and pods in namespaces. On top of test/netns/lib.bash, which starts
# the script again in namespaces of its own; whatever is made goes with them. The same scripts run on the machine's own
# kernel and, by test/kernel/run, on Debian's kernels in qemu, where IPIP is.

# shellcheck source=../netns/lib.bash
source "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.bash"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

ipip_here() { ip -j link show tunl0 2>/dev/null | grep -q ipip || ip link add tunl0 type ipip 2>/dev/null || ip link show tunl0 >/dev/null 2>&1; }
vxlan_here() { ip link add probe type vxlan id 9 local 127.0.0.1 dstport 9 2>/dev/null && ip link del probe; }
needs_vxlan() { vxlan_here || { echo "skipped: this kernel has no vxlan"; exit 77; }; }
# Lighter than `ip netns exec`, which mounts a /sys of its own: processes are expensive on an emulated processor.
on() { nsenter --net="/run/netns/$1" "${@:2}"; }

# wire NAME: an Ethernet segment. plug HOST INTERFACE WIRE ADDRESS/LENGTH [MTU]: a host's interface on it.
wire() { ip link add "$1" type bridge && ip link set "$1" up; }
plugs=0
plug() {
  plugs=$((plugs + 1))
  ip link add "plug$plugs" mtu "${5:-1500}" type veth peer name "$2" mtu "${5:-1500}" netns "$1"
  ip link set "plug$plugs" master "$3" up
  case $4 in *:*) ip -n "$1" addr add "$4" dev "$2" nodad ;; *) ip -n "$1" addr add "$4" dev "$2" ;; esac
  ip -n "$1" link set "$2" up
}
# host NAME: a namespace, and folders for its state.
host() {
  "$make_namespace" "$1"
  on "$1" sh -c '[ ! -e /proc/sys/net/ipv6 ] || echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
  mkdir -p "$work/$1"
}

# pod_at HOST NAME ADDRESS: a pod with that address, attached by the plugin.
pod_at() {
  local host=$1 name=$2 address=$3
  pod "$name"
  [ -x "$bin/onlink" ] || { pod_by_hand "$@"; return; }
  on "$host" env CNI_COMMAND=ADD CNI_CONTAINERID="$name" CNI_NETNS="/run/netns/$name" CNI_IFNAME=eth0 CNI_PATH="$bin" \
    CNI_ARGS="IgnoreUnknown=1;IP=$address;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$name" "$bin/onlink" >"$work/$name.result" <<EOF || give_up "attach $name: $(cat "$work/$name.result")"
{"cniVersion":"1.1.0","name":"pods","type":"onlink","mtu":${pod_mtu:-1480},
 "ipam":{"type":"onlink-ipam","subnet":"${address%.*}.0/24","dataDir":"$work/$host/ipam"}}
EOF
  same "the address of $name" "$(jq -r '.ips[0].address' "$work/$name.result")" "$address/32"
}
# The same without the plugin's binary: what `onlink --explain` prints.
pod_by_hand() { # HOST NAME ADDRESS
  local end
  end=onl$(sha256sum <<<"$2" | cut -c1-11)
  ip -n "$1" link add "$end" address ee:ee:ee:ee:ee:ee mtu "${pod_mtu:-1480}" type veth peer name eth0 \
    mtu "${pod_mtu:-1480}" netns "$2"
  ip -n "$1" link set "$end" up
  on "$1" sh -c "cd /proc/sys/net/ipv4/conf/$end && echo 1 >forwarding && echo 1 >rp_filter && echo 1 >proxy_arp"
  ip -n "$2" addr add "$3/32" dev eth0
  ip -n "$2" link set eth0 up
  ip -n "$2" route add 169.254.1.1 dev eth0 scope link
  ip -n "$2" route add default via 169.254.1.1
  ip -n "$2" neigh add 169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee nud permanent
  ip -n "$1" route add "$3/32" dev "$end" scope link proto 169
}

# dual_pod HOST NAME [NUMBER]: a pod with the next address of each family, of the host's subnets, which are 0 and 1 on A and B;
# they are in ${v4[NAME]} and ${v6[NAME]}.
declare -A v4=() v6=()
dual_pod() {
  local number=${3:-}
  case $1 in A) number=0 ;; B) number=1 ;; esac
  pod "$2"
  on "$1" env CNI_COMMAND=ADD CNI_CONTAINERID="$2" CNI_NETNS="/run/netns/$2" CNI_IFNAME=eth0 CNI_PATH="$bin" \
    "$bin/onlink" >"$work/$2.result" <<END || give_up "attach $2: $(cat "$work/$2.result")"
{"cniVersion":"1.1.0","name":"pods","type":"onlink",
 "ipam":{"type":"onlink-ipam","runDir":"$work/$1/run","ranges":[[{"subnet":"10.10.$number.0/24"}],[{"subnet":"fd00:10:$number::/64"}]],"dataDir":"$work/$1/ipam"}}
END
  v4[$2]=$(jq -r '.ips[0].address' "$work/$2.result")
  v6[$2]=$(jq -r '.ips[1].address' "$work/$2.result")
  v4[$2]=${v4[$2]%/*} v6[$2]=${v6[$2]%/*}
}

# node HOST VERB [ARGUMENT...]: onlink-node on a host, with $cluster as its file. Output in $out, exit status in $status.
cluster=$work/cluster.json
node_command() { # HOST: the words before the verb
  command=("$bin/onlink-node" -c "${cluster_of[$1]:-$cluster}" -n "$1" --run-dir "$work/$1/run" --state-dir "$work/$1/state")
}
declare -A cluster_of=()
node() {
  local command
  node_command "$1"
  status=0
  out=$(on "$1" "${command[@]}" "${@:2}" 2>"$work/$1/errors") || status=$?
  errors=$(cat "$work/$1/errors")
}
applied() { node "$1" apply; [ "$status" = 0 ] || fail "apply on $1: exit status $status: $errors"; }

# The seed's two hosts, in their own /24, with its addresses, and two pods each; names as in its picture. No resync comes
# to the help of what should have been noticed at once.
seed_cluster() { # [JQ-PROGRAM...]
  local program document
  document='{"ipipMode":"Never","masquerade":false,"filter":false,"resyncSeconds":3600,"nodes":[
    {"name":"A","nodeIP":"172.16.91.201","podCIDRs":["10.10.0.0/24"]},
    {"name":"B","nodeIP":"172.16.91.202","podCIDRs":["10.10.1.0/24"]}]}'
  for program in "$@"; do document=$(jq "$program" <<<"$document"); done
  # Replaced, not written in place: whoever watches sees one version or the other.
  printf '%s\n' "$document" >"$cluster.new"
  mv "$cluster.new" "$cluster"
}
seed_hosts() {
  wire lan
  host A && plug A eth0 lan 172.16.91.201/24 "${1:-1500}"
  host B && plug B eth0 lan 172.16.91.202/24 "${1:-1500}"
}
seed_pods() {
  pod_at A netns01 10.10.0.2
  pod_at A netns02 10.10.0.3
  pod_at B netns03 10.10.1.2
  pod_at B netns04 10.10.1.3
}

# everything HOST: what clean has to give back, tables and settings besides what snapshot sees.
everything() {
  snapshot "$1"
  # Every setting of the network: those that cannot be read say so each time.
  on "$1" sh -c 'cd /proc/sys/net && grep -r . ipv4 ipv6 2>&1 | sort; nft -s list ruleset 2>/dev/null || true'
  find "$work/$1/run" "$work/$1/state" -type f 2>/dev/null || true
}

# reaches FROM ADDRESS [PING-ARGUMENT...]: one ping, and how long its answer takes is not judged. cut_off the same, refused.
reaches() { checks=$((checks + 1)); on "$1" ping -q -c1 -W10 "${@:3}" "$2" >/dev/null || fail "$1 does not reach $2"; }
cut_off() { checks=$((checks + 1)); ! on "$1" ping -q -c1 -W1 "${@:3}" "$2" >/dev/null 2>&1 || fail "$1 reaches $2"; }

# Every pod of the seed with every other, in both directions: ping and 1 MB over TCP.
talk=$(dirname "${BASH_SOURCE[0]}")/talk.py
all_pods_talk() {
  checks=$((checks + 1))
  "$python" "$talk" pairs netns01=10.10.0.2 netns02=10.10.0.3 netns03=10.10.1.2 netns04=10.10.1.3 >"$work/talk" ||
    fail "the pods do not all talk to each other"
  same "pairs of pods that talk" "$(cat "$work/talk")" "12 pairs"
}
# count_packets HOST INTERFACE FILTER COMMAND...: how many packets tcpdump saw while the command ran; in $seen.
count_packets() {
  : >"$work/tcpdump"
  # exec: the process to be ended is tcpdump itself.
  (exec nsenter --net="/run/netns/$1" tcpdump -Z root -n -i "$2" --immediate-mode -U -w "$work/packets" "$3" 2>"$work/tcpdump") &
  local dump=$! tries
  for ((tries = 0; tries < 400; tries++)); do grep -q 'listening on' "$work/tcpdump" && break; sleep 0.05; done
  "${@:4}"
  # Until it has written what the kernel has handed to it: both numbers are in what it says when asked.
  for ((tries = 0; tries < 400; tries++)); do
    kill -USR1 "$dump" || break
    sleep 0.05
    [[ $(tail -n 1 "$work/tcpdump") =~ ([0-9]+)\ packets?\ captured,\ ([0-9]+)\ packets?\ received ]] || continue
    [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ] || break
  done
  kill "$dump" 2>/dev/null || true
  wait "$dump" || true
  seen=$(tcpdump -n -r "$work/packets" 2>/dev/null | wc -l)
}
# eventually SECONDS COMMAND...: becomes true, on a quiet machine within that time. A busy one gets ten times as much: it is
# only a bound.
eventually() {
  local start now limit=$(($1 * 10))
  start=$(date +%s%N)
  while :; do
    if ("${@:2}") >/dev/null 2>&1; then # a shell of its own: a check that fails ends only that
      checks=$((checks + 1)); return
    fi
    now=$(date +%s%N)
    [ $(((now - start) / 1000000)) -lt $((limit * 1000)) ] || { fail "not within $limit s: ${*:2}"; return; }
    sleep 0.01
  done
}
route_line() { ip -n "$1" route show "$2" | sed 's/ *$//'; }

# with_xdp HOST COMMAND...: an XDP program on eth0 of the host drops all IPv4 meanwhile.
with_xdp() {
  local xdp
  ip netns exec "$1" "$python" "$root/test/node/xdp.py" eth0 &
  xdp=$!
  eventually 5 eval "ip -n $1 link show eth0 | grep -q xdp"
  "${@:2}"
  kill "$xdp"
  eventually 5 eval "! ip -n $1 link show eth0 | grep -q xdp"
}

# start_node HOST [OPTION...]: `onlink-node run` in the background, its words in $work/HOST/log, its process in ${service[HOST]}.
# Every process ends with the script's namespace of processes.
declare -A service=()
start_node() {
  local command
  node_command "$1"
  (exec nsenter --net="/run/netns/$1" "${command[@]}" run "${@:2}") >>"$work/$1/log" 2>&1 &
  service[$1]=$!
}
stop_node() {
  kill -TERM "${service[$1]}"
  wait "${service[$1]}" || fail "onlink-node on $1 ended with status $?: $(tail -3 "$work/$1/log")"
}
