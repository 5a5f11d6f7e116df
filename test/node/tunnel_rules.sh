#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# The nftables table beside the live tunnel: forged IPIP from a stranger, from a pod and from a node that speaks for others
# is dropped and counted while the pods talk through it; masquerade, and the source of what was bound before.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=forge.bash
source "$(dirname "$0")/forge.bash"

seed_hosts
host stranger && plug stranger eth0 lan 172.16.91.250/24
for each in A B; do ip -n "$each" route add default via 172.16.91.250; done
seed_pods
rules='.ipipMode = "Always" | .masquerade = true | .filter = true'
seed_cluster "$rules"
applied A; applied B
count_packets A eth0 'ip proto 4' all_pods_talk
[ "$seen" -gt 32 ] || fail "only $seen packets of protocol 4"
dropped() { node A status --json; jq ".dropped.$1" <<<"$out"; }

# What a forged packet would be if it got through: seen at the pod, from the inner source.
pings_at_pod() { count_packets netns01 eth0 'icmp[icmptype] = icmp-echo' "$@"; }
same "before" "$(dropped foreign_tunnel)" 0
pings_at_pod ipip_from B 172.16.91.201
same "a peer's packet comes out of the tunnel" "$seen $(dropped foreign_tunnel)" "1 0"
pings_at_pod ipip_from stranger 172.16.91.201
same "a stranger's is dropped and counted" "$seen $(dropped foreign_tunnel)" "0 1"
same "from a pod, before" "$(dropped tunnel_from_pod)" 0
ipip_from netns01 172.16.91.202
same "a pod's is dropped and counted" "$(dropped tunnel_from_pod)" 1
ipip_from netns01 172.16.91.201
same "also to its own host" "$(dropped tunnel_from_pod)" 2
# A node speaks for itself and its pods only: not for another node's, this node's own, the LAN or the world.
same "inside, before" "$(dropped forged_inner)" 0
forged=0
for inner in 10.10.2.2 10.10.0.3 172.16.91.250 192.0.2.9; do
  pings_at_pod ipip_from B 172.16.91.201 "" "$inner"
  forged=$((forged + 1))
  same "a peer that speaks as $inner" "$seen $(dropped forged_inner)" "0 $forged"
done
for inner in 10.10.1.77 10.10.1.1 172.16.91.202; do
  pings_at_pod ipip_from B 172.16.91.201 "" "$inner"
  same "a peer that speaks as itself, $inner" "$seen $(dropped forged_inner)" "1 $forged"
done
reaches netns03 10.10.0.2 -s 3000 # in pieces
# Who it was: the peer by its name, trusted or not; and what was counted outlives rules that are made anew.
forgers() { node A status --json; jq -c '[.forgedInnerBy[] | [.sender, .peer, .packets]]' <<<"$out"; }
same "who forged" "$(forgers)" '[["172.16.91.202","B",4]]'
node A status
case $out in *"dropped forged_inner: 4 packets
  4 packets from 172.16.91.202 (B)"*) checks=$((checks + 1)) ;; *) fail "status names no sender: $out" ;; esac
# The kernel adds elements while packets come: no rule is touched by that, and a pass has nothing to do.
node A plan
same "nothing is left to do after forged packets" "$out$errors" ""
on A nft flush chain inet onlink arriving
applied A
same "after the rules were made again" "$(forgers) $(dropped forged_inner)" '[["172.16.91.202","B",4]] 4'
pings_at_pod ipip_from B 172.16.91.201 "" 10.10.2.2
same "and one more" "$seen $(forgers) $(dropped forged_inner)" '0 [["172.16.91.202","B",5]] 5'

# The filter is what holds it: without it the stranger is in the pod network.
seed_cluster "$rules" '.filter = false'
applied A
pings_at_pod ipip_from stranger 172.16.91.201
same "without the filter" "$seen" 1
seed_cluster "$rules"
applied A
# A chain of the host's own that drops what it does not know: told, with the command that mends it.
on A sh -c 'nft add table ip filter && nft add chain ip filter INPUT "{ type filter hook input priority 0; policy drop; }"'
node A apply
case $errors in *"chain INPUT of table ip filter drops what it does not know, IPIP packets of other nodes among them; this lets them through: iptables -I INPUT -p 4 -j ACCEPT"*) checks=$((checks + 1)) ;; *) fail "INPUT that drops IPIP: $errors" ;; esac
on A nft add rule ip filter INPUT ip protocol 4 accept
applied A
on A nft delete table ip filter
# One that drops IPIP by name is told, too.
for rule in 'ip protocol 4 drop' 'meta l4proto ipencap reject' 'ip protocol { 4, 41, 47 } drop'; do
  on A nft "add table inet f; add chain inet f wall { type filter hook input priority 0; }; add rule inet f wall $rule"
  node A apply
  case $errors in *"chain wall of table inet f has a rule that drops IPIP packets of other nodes; this lets them through: nft insert rule inet f wall ip protocol 4 accept"*) checks=$((checks + 1)) ;; *) fail "$rule: $errors" ;; esac
  on A nft delete table inet f
done

# Under another name it is the module's device still.
ip -n A link set tunl0 down; ip -n A link set tunl0 name tunnel9; ip -n A link set tunnel9 up
node A apply; ok "a renamed tunnel"
reaches netns01 10.10.1.2
same "its route" "$(ip -n A -j route show 10.10.1.0/24 | jq -r '.[0].dev')" tunnel9
node A plan
same "nothing is left to do" "$out$errors" ""
ip -n A link set tunnel9 down; ip -n A link set tunnel9 name tunl0; ip -n A link set tunl0 up
applied A

# Masquerade: out of the cluster with the node's address, through the tunnel with the pod's own.
count_packets stranger eth0 'icmp and src host 172.16.91.201' reaches netns01 172.16.91.250
same "pings from the node's address" "$seen" 1
count_packets netns03 eth0 'icmp and src host 10.10.0.2' reaches netns01 10.10.1.2
same "pings from the pod's address" "$seen" 1
# A program of the host that is bound to the node's own address: the pod's answer must come back through the tunnel.
count_packets netns03 eth0 'icmp and src host 10.10.0.1' reaches A 10.10.1.2 -I 172.16.91.201
same "what was bound to the node's address" "$seen" 1
count_packets A eth0 'ip proto 4' reaches A 10.10.1.2 -I 172.16.91.201
same "both ways through the tunnel" "$seen" 2
# Bound before there was a tunnel: the route's source comes too late for such a socket.
seed_cluster '.masquerade = true | .filter = true'
applied A; applied B
mkfifo "$work/go"
on A "$python" - "$work/go" >"$work/bound" <<'PY' &
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("10.10.1.2", 4000))
print(udp.getsockname()[0], flush=True)
open(sys.argv[1]).read()
udp.send(b"bound before")
PY
sender=$!
eventually 20 test -s "$work/bound"
same "the source that it is bound to" "$(cat "$work/bound")" 172.16.91.201
seed_cluster "$rules"
applied A; applied B
release() { : >"$work/go"; wait "$sender"; }
count_packets netns03 eth0 'udp port 4000 and src host 10.10.0.1' release
same "what was bound before the tunnel" "$seen" 1
reaches netns01 10.10.1.2
done_testing
