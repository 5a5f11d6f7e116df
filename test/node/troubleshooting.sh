#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# docs/troubleshooting.md: each thing that it names is broken, and the command that it gives says the words that are in its row.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

page=$root/docs/troubleshooting.md
tried=$work/tried
: >"$tried"
# row WORDS TEXT: the page has a row for the words, and the text has them.
row() {
  checks=$((checks + 1))
  grep -qF "| \`$1\`" "$page" || fail "the page has no row for: $1"
  [[ $2 == *"$1"* ]] || fail "\"$1\" is not in: $2"
  printf '%s\n' "$1" >>"$tried"
}
check() { node A check --data-dir "$work/A/ipam" "$@"; out+=$errors; }
status() { node A status; out+=$errors; }

pod_mtu=1500
seed_hosts
seed_pods
seed_cluster
applied A; applied B
end=$(ip -n A -j route show 10.10.0.2 | jq -r '.[0].dev')
well() { check "$@"; [ "$status" = 0 ] || fail "check $*: $out"; }
well

# A pod does not start.
add() { # CONTAINER SUBNET [KEY: VALUE]
  [ -e "/run/netns/$1" ] || pod "$1"
  out=$(on A env CNI_COMMAND=ADD CNI_CONTAINERID="$1" CNI_NETNS="/run/netns/$1" CNI_IFNAME=eth0 CNI_PATH="$bin" "$bin/onlink" <<END || true
{"cniVersion":"1.1.0","name":"small","type":"onlink","log":{"file":"$work/plugin.log"},"ipam":{"type":"onlink-ipam","subnet":"$2","dataDir":"$work/A/ipam"}}
END
)
}
add one 10.10.9.0/30
add two 10.10.9.0/30
row 'code 102' "$(cat "$work/plugin.log")"
list() { out=$(on A "$bin/onlink-ipam" list "$@" --data-dir "$work/A/ipam" 2>&1); }
list small
row 'alive' "$out"
ip -n A route add 10.10.8.2 via 172.16.91.202 proto bird
add three 10.10.8.0/29
row 'is held by proto' "$out"
add one 10.10.9.0/30
row 'exists already' "$out"
out=$(on A env CNI_COMMAND=ADD CNI_CONTAINERID=x CNI_NETNS=/run/netns/three CNI_IFNAME=eth0 CNI_PATH="$bin" "$bin/onlink" \
  <<<'{"cniVersion":"1.1.0","name":"n","type":"onlink","ipam":{"type":"onlink-ipam","ranges":[[{"subnet":"10.10.9.1/24"}]]}}' || true)
row 'ipam.ranges[0][0].subnet' "$out"

# A pod reaches nothing.
ip -n A route del 10.10.0.2
check netns01
row "the host's route is missing" "$out"
ip -n A route add 10.10.0.2 dev "$end" scope link proto 169
ip -n netns01 route del default
check netns01
row 'the pod has no default route' "$out"
ip -n netns01 route add default via 169.254.1.1 dev eth0 onlink
ip -n netns01 neigh del 169.254.1.1 dev eth0
on A sysctl -qw "net.ipv4.conf.$end.proxy_arp=0"
check netns01
row "the pod has lost its gateway's neighbour" "$out"
on A sysctl -qw "net.ipv4.conf.$end.proxy_arp=1"
ip -n netns01 neigh replace 169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee nud permanent
on A sysctl -qw "net.ipv4.conf.$end.forwarding=0"
check netns01
row 'forwarding is 0' "$out"
on A sysctl -qw "net.ipv4.conf.$end.forwarding=1"
drop() { on "$1" nft "add table ip test; add chain ip test c { type filter hook $2 priority 0; }; add rule ip test c $3 drop"; }
drop A forward 'ip saddr 10.10.0.2'
check netns01
row 'is dropped on this node' "$out"
on A nft delete table ip test
drop A forward 'ip protocol tcp'
check netns01
row 'its TCP does not' "$out"
on A nft delete table ip test
ip -n netns01 route add prohibit 172.16.91.0/24
ip -n netns01 route add prohibit 10.10.1.0/24
check netns01
row 'the pod itself cannot send' "$out"
ip -n netns01 route flush type prohibit
ip -n netns01 addr add 10.10.0.99/32 dev eth0
ip -n netns01 route replace default via 169.254.1.1 dev eth0 onlink src 10.10.0.99
check netns01
row 'which is not its address' "$out"
ip -n netns01 route replace default via 169.254.1.1 dev eth0 onlink
ip -n netns01 addr del 10.10.0.99/32 dev eth0
drop netns02 input 'ip saddr 10.10.0.2'
check netns01
row 'reaches that pod, which does not answer it' "$out"
on netns02 nft delete table ip test
well netns01
ip -n A rule add from 10.10.0.0/24 to 10.10.1.0/24 prohibit
check netns01
row 'are refused by a route or rule' "$out"
ip -n A rule del from 10.10.0.0/24 to 10.10.1.0/24 prohibit
ip -n A rule add from 10.10.0.0/24 prohibit
check netns01
row 'a rule for what is from pods' "$out"
ip -n A rule del from 10.10.0.0/24 prohibit
ip -n A rule add from 172.16.91.201 lookup 101
ip -n A route add default via 172.16.91.202 table 101
check netns01
row 'packets from 172.16.91.201 to' "$out"
ip -n A rule add from 172.16.91.201 to 10.10.0.0/16 lookup main
well netns01
ip -n A rule del from 172.16.91.201 to 10.10.0.0/16 lookup main
ip -n A rule del from 172.16.91.201 lookup 101
host other
plug other eth0 lan 172.16.91.77/24
on other sysctl -qw net.ipv4.icmp_echo_ignore_all=1
on A nft 'add table ip test; add chain ip test c { type nat hook prerouting priority -100; }; add rule ip test c ip saddr 10.10.0.2 ip daddr 10.10.1.0/24 dnat to 172.16.91.77'
check netns01
row 'a nat chain' "$out"
on A nft delete table ip test
well netns01
ip -n netns02 addr del 10.10.0.3/32 dev eth0
check netns02
row 'the pod itself does not have' "$out"
ip netns del netns02
eventually 10 eval '! ip -n A route show 10.10.0.3 | grep -q .'
check netns02
row 'no interface of this host leads to it' "$out"

# A pod does not reach another node's.
ip -n A route del 10.10.1.0/24
check B
row 'its route is missing' "$out"
ip -n A route add 10.10.1.0/24 via 172.16.91.202 proto bird
node A apply; out+=$errors
row 'left alone' "$out"
ip -n A route del 10.10.1.0/24
# Another plugin's bridge.
ip -n A link add cni0 type bridge && ip -n A addr add 10.10.1.1/24 dev cni0 && ip -n A link set cni0 up
status
row 'is held by 10.10.1.0/24 dev cni0 proto kernel' "$out"
ip -n A link del cni0
applied A
ip -n A route add 10.10.1.0/25 via 172.16.91.77 dev eth0
check B
row 'packets to 10.10.1.1 take' "$out"
ip -n A route del 10.10.1.0/25
ip -n other addr add 172.16.91.202/24 dev eth0
ip -n A neigh replace 172.16.91.202 dev eth0 lladdr "$(ip -n other -j link show eth0 | jq -r '.[0].address')" nud reachable
check B
row 'have the address' "$out"
ip -n other link set eth0 down
on B sysctl -qw net.ipv4.icmp_echo_ignore_all=1
check B
row 'answers TCP but not pings' "$out"
on B sysctl -qw net.ipv4.icmp_echo_ignore_all=0
drop B input 'icmp type echo-request numgen inc mod 2 0'
check B
row 'small packets were not answered' "$out"
on B nft delete table ip test
with_xdp A check B
row 'the XDP program on eth0' "$out"
for each in A B; do ip -n "$each" neigh flush dev eth0; done
ip -n B link set eth0 down
ip -n A neigh flush dev eth0
check B
row 'no answer from the neighbour' "$out"
ip -n B link set eth0 up
applied B
eventually 10 on A ping -qc1 -W1 172.16.91.202
drop B input ''
check B
row '172.16.91.202 does not answer' "$out"
on B nft delete table ip test
check 10.10.1.77
row 'is reached, its pod' "$out"
on A nft 'add table ip old; add chain ip old f { type filter hook forward priority 0; policy drop; }'
status
row 'drops what it does not know' "$out"
on A nft delete table ip old
well
vxlan_here && {
  seed_cluster 'del(.ipipMode) | .vxlanMode = "Always"'
  applied A; applied B
  drop B input 'udp dport 4789'
  check B
  row 'UDP 4789 does not pass' "$out"
  on B nft delete table ip test
  node B clean
  check B
  row 'refuses UDP 4789' "$out"
  jq '.vxlanVNI = 77' "$cluster" >"$work/other.json"
  cluster_of[B]=$work/other.json
  applied B
  check B
  row 'it sends VXLAN to port' "$out"
  unset 'cluster_of[B]'
  seed_cluster
  applied A; applied B
}
if ! ipip_here; then
  seed_cluster '.ipipMode = "Always"'
  node A apply
  status
  row 'this kernel has no ipip module' "$out"
  seed_cluster
  applied A
fi

# Large packets.
ip link set plug2 mtu 1400
check B
row 'bytes do not pass' "$out"
ip link set plug2 mtu 1500
for plugged in A B; do ip -n "$plugged" link set eth0 mtu 1400; done
applied A
check netns01
row 'pass to every node: large packets are lost' "$out"
for plugged in A B; do ip -n "$plugged" link set eth0 mtu 1500; done
applied A; applied B
well netns01

# One direction.
ip -n B route del 10.10.0.0/24
check netns01
row 'leaves this node, and nothing comes back' "$out"
applied B
seed_cluster 'del(.ipipMode) | .vxlanMode = "Always"'
node A apply; node B apply
drop A input 'ip saddr 172.16.91.202 udp dport 4789'
check B
row 'its answer arrives' "$out"
on A nft delete table ip test
seed_cluster
applied A; applied B

# Names: what leaves the node for a server that is outside has the pod's address.
host dns && plug dns eth0 lan 172.16.91.53/24
ask_name() { on netns01 "$python" -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("172.16.91.53", 53))'; }
count_packets A eth0 'udp port 53' ask_name
row '10.10.0.2.' "$(tcpdump -n -r "$work/packets" 2>/dev/null)"
seed_cluster '.masquerade = true'
applied A
count_packets A eth0 'udp port 53' ask_name
case $(tcpdump -n -r "$work/packets" 2>/dev/null) in *"IP 172.16.91.201."*) checks=$((checks + 1)) ;; *) fail "with masquerade the pod's address leaves the node" ;; esac
seed_cluster
applied A

# The pool, and a reboot.
ip netns del one
gone() { list small; [[ $out == *stale* ]]; }
eventually 10 gone
list small
row 'stale' "$out"
add four 10.10.9.0/30
[[ $out == *10.10.9.2/32* ]] || fail "a full pool does not heal: $out"
printf 'old\r\neth0' >"$work/A/ipam/small/10.10.9.77"
list small
row 'unknown' "$out"
printf 'older\r\neth0' >"$work/A/ipam/small/10.10.9.78"
setfattr_by_python() { "$python" -c 'import os, sys; os.setxattr(sys.argv[1], "trusted.onlink.boot", b"00000000-0000-4000-8000-000000000000")' "$1"; }
setfattr_by_python "$work/A/ipam/small/10.10.9.78"
list small
row 'it was made in an earlier boot' "$out"

# A node of Kubernetes whose API does not answer, or knows no podCIDR of it.
api_host lan
cp "$cluster" "$work/kubernetes.json"
jq -n --arg api "$api" --arg work "$work" '{ipipMode: "Never", masquerade: false, filter: false, resyncSeconds: 60,
  source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig"), conflist: {template: ($work + "/none"), path: ($work + "/made.conflist")}}}' >"$work/kubernetes.json"
cluster_of[A]=$work/kubernetes.json
start_node A
not_there() { status; [[ $out == *'problem of the list'* ]]; }
eventually 20 not_there
status
row 'problem of the list' "$out"
stop_node A
status
row 'the last good list of nodes' "$out"
start_api
tell tokens token-1
put A 172.16.91.201 10.10.0.0/24
put B 172.16.91.202 10.10.1.0/24
start_node A
no_conflist() { status; [[ $out == *'no pods can start'* ]]; }
eventually 20 no_conflist
status
row 'no pods can start' "$out"
row 'NOT in order' "$out"
stop_node A

# No row that nobody has tried; those of IPIP are tried where it is (check_tunnel.sh).
same "rows that no test tries" "$(sed -n 's/^| \(`[^`]*` | \|the same | \)\?`\([^`]*\)`[^|]*|.*/\2/p' "$page" | grep -vxF -f "$tried" |
  grep -vx 'protocol 4 does not pass' || true)" ""
done_testing
