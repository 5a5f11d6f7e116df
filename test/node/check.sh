#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# What is broken between two nodes on one wire, and between a node and its pods, and `check` did not say. Each thing is broken alone
# and mended again, and in between all is well: what works is not blamed.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

pod_mtu=1500
seed_hosts
seed_pods
seed_cluster
applied A; applied B
leases=(--data-dir "$work/A/ipam")
# finds STATUS KINDS WORDS [ARGUMENT...]: check ends so, and has problems of these kinds, in order, and of no other, one with those
# words.
finds() {
  node A check --json "${leases[@]}" "${@:4}"
  same "exit status of check, with $2: $errors$out" "$status" "$1"
  holds "check finds $2" "[.problems[].kind] | unique == (\"$2\" | split(\" \"))" "$out"
  holds "check finds $2 in words" ".problems | any(.text | contains(\"$3\"))" "$out"
}
well() {
  node A check --json "${leases[@]}" "$@"
  [ "$status" = 0 ] || fail "check${1:+ $*}: exit status $status: $errors$(jq -c .problems <<<"$out")"
  holds "all is well" '.ok and .problems == []' "$out"
}
# with_wrong_neighbour HOST ADDRESS OWNER COMMAND...: HOST has a wrong MAC for the address of OWNER meanwhile.
with_wrong_neighbour() {
  ip -n "$1" neigh replace "$2" dev eth0 lladdr 02:00:00:00:00:99 nud permanent
  "${@:4}"
  ip -n "$1" neigh replace "$2" dev eth0 lladdr "$(ip -n "$3" -j link show eth0 | jq -r '.[0].address')" nud reachable
  well
}
attach_end=$(ip -n A -j route show 10.10.0.2 | jq -r '.[0].dev')

on A ping -qc1 172.16.91.202 >/dev/null
before=$(everything A)
well
same "what check has changed" "$(everything A)" "$before"
holds "the peer" '.peers[0] | .ok and .route == "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" and
  (.neighbour | startswith("eth0 172.16.91.202 ")) and .size == {"asked": 1500, "passes": 1500}' "$out"
for subject in netns01 10.10.0.2 "$attach_end" default/netns01; do
  well "$subject"
  holds "the pod by $subject" '.pods | length == 1 and (.[0] | .container == "netns01" and .pod == "default/netns01" and .addresses == ["10.10.0.2"] and
    (.lease | endswith("/pods/10.10.0.2")) and .since != "" and (.netns | endswith("netns01")) and (.routes | length == 2))' "$out"
done
well 10.10.1.2
holds "the pod of a peer" '[.peers[].name] == ["B"] and .pods == [] and .peers[0].pod.address == "10.10.1.2" and
  (.peers[0].pod.echo | startswith("answers"))' "$out"
finds 3 pod-silent-there "B is reached, its pod 10.10.1.77 does not answer" 10.10.1.77
node A check B "${leases[@]}"; ok "check B"
case $out in *"verdict "*" ok"*) ;; *) fail "check B prints: $out" ;; esac
node A check nobody "${leases[@]}"
same "a subject that is not there" "$status" 2
case $errors in *'"nobody" is no peer'*) ;; *) fail "it is told: $errors" ;; esac

# The peer.
ip -n A route del 10.10.1.0/24
node A check --json "${leases[@]}"
same "without the route" "$status" 1
holds "its route" '.problems | any(.kind == "route-wrong" and (.text | contains("its route is missing")))' "$out"
applied A
ip -n A route add 10.10.1.0/25 via 172.16.91.77 dev eth0
finds 1 route-overridden "packets to 10.10.1.1 take 10.10.1.0/25 via 172.16.91.77"
ip -n A route del 10.10.1.0/25
well
ip -n B link set eth0 down
ip -n A neigh flush dev eth0
finds 3 peer-unreachable "no answer from the neighbour eth0 172.16.91.202"
ip -n B link set eth0 up
applied B
eventually 10 on A ping -qc1 -W1 172.16.91.202
well
on B nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in drop'
finds 3 node-silent "172.16.91.202 does not answer"
on B nft 'flush table ip test; add rule ip test in reject with icmp type admin-prohibited'
finds 3 node-silent "172.16.91.202 refuses it: a firewall rejects it"
on B nft 'delete table ip test'
well
# This node's own doing, which looks as if no node answered.
on A nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in icmp type echo-reply drop'
finds 1 dropped-here "its answer arrives on eth0 and is dropped by this node: an input chain drops it"
on A nft 'delete table ip test'
on A tc qdisc add dev eth0 root tbf rate 8bit burst 10 latency 1ms # a packet never gets through
finds 1 dropped-here "what is sent to 172.16.91.202 does not leave this node"
on A tc qdisc del dev eth0 root
well
with_xdp A finds 3 node-silent "the XDP program on eth0 drops what comes"
well
with_wrong_neighbour A 172.16.91.202 B finds 3 node-silent "the neighbour eth0 172.16.91.202 PERMANENT, set by hand, has a wrong MAC"
ip link set plug2 mtu 1400 # the wire carries no more to B
finds 3 mtu "packets of 1500 bytes do not pass, of 1404 do, and no ICMP error says so" # the bridge leaves room for a VLAN tag
ip link set plug2 mtu 1500
well
# A size that is lost below one that passes, as by chance: the look for the largest ends all the same.
on B nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in ip length 1000-1100 drop; add rule ip test in ip length 1500 drop'
finds 3 mtu "packets of 1500 bytes do not pass, of 14"
on B nft 'flush table ip test; add rule ip test in ip length 200-1500 drop'
finds 3 mtu "only pings are limited, by size or number"
on B nft 'delete table ip test'
well
# Every second one.
on B nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in icmp type echo-request numgen inc mod 2 0 drop'
finds 3 packets-lost "of 10 small packets were not answered"
on B nft 'delete table ip test'
well
# No pings are let in, and all works.
on B sysctl -qw net.ipv4.icmp_echo_ignore_all=1
well
holds "what limits the answer" '.peers[0].note | contains("172.16.91.202 answers TCP but not pings")' "$out"
on B sysctl -qw net.ipv4.icmp_echo_ignore_all=0
# This node rewrites what it sends itself.
on A nft 'add table ip test; add chain ip test post { type nat hook postrouting priority 100; }; add rule ip test post ip daddr 172.16.91.202 snat to 172.16.91.99'
finds 1 address-translated "what this node sends to 172.16.91.202 leaves from 172.16.91.99"
on A nft 'delete table ip test'
well
# Two machines with one address.
host double
plug double eth0 lan 172.16.91.202/24
double_mac=$(ip -n double -j link show eth0 | jq -r '.[0].address')
b_mac=$(ip -n B -j link show eth0 | jq -r '.[0].address')
ip -n A neigh replace 172.16.91.202 dev eth0 lladdr "$double_mac" nud reachable
finds 3 duplicate-address "2 machines on eth0 have the address 172.16.91.202"
holds "both machines are named" '.problems[0].text | contains("'"$double_mac"'") and contains("'"$b_mac"'")' "$out"
ip -n double address flush dev eth0
ip -n double address add 172.16.91.201/24 dev eth0
finds 1 duplicate-address "another machine on eth0 has this node's address 172.16.91.201: $double_mac"
ip -n double address flush dev eth0
ip -n double address add 172.16.91.77/24 dev eth0
on double sysctl -qw net.ipv4.icmp_echo_ignore_all=1
for each in A B; do ip -n "$each" neigh flush dev eth0; done
eventually 10 on A ping -qc1 -W1 172.16.91.202
well
with_wrong_neighbour B 172.16.91.201 A finds 3 dropped-here "it is for another MAC than this node's: B has a wrong neighbour for this node"

# This node's address moves to another card: B still has the first one's MAC for it, which what it sends to pods goes to.
ip -n B neigh replace 172.16.91.201 dev eth0 lladdr "$(ip -n A -j link show eth0 | jq -r '.[0].address')" nud permanent
plug A eth1 lan 172.16.91.211/24
ip -n A link set eth0 down
node A apply
finds 3 dropped-here "arrives for another MAC than this node's: B has a wrong neighbour for this node"
ip -n A link del eth1
ip -n A link set eth0 up
ip -n B neigh del 172.16.91.201 dev eth0
applied A
well

# The way of pods through this host.
on A nft 'add table ip test; add chain ip test f { type filter hook forward priority 0; }; add rule ip test f ip saddr 10.10.0.2 drop'
finds 1 forward-dropped "is dropped on this node" netns01
on A nft 'flush table ip test; add rule ip test f ip daddr 10.10.0.2 drop'
finds 1 forward-dropped "the answer of B (172.16.91.202) arrives and is dropped on this node" netns01
on A nft 'flush table ip test; add rule ip test f ip daddr 10.10.1.1 drop'
finds 1 forward-dropped "what it sends to B (10.10.1.1) is dropped on this node" netns01
on A nft 'delete table ip test'
well netns01
# The way to another pod of this host.
on A nft 'add table ip test; add chain ip test f { type filter hook forward priority 0; }; add rule ip test f ip daddr 10.10.0.3 drop'
finds 1 forward-dropped "what it sends to pod default/netns02 (10.10.0.3) is dropped on this node" netns01
on A nft 'flush table ip test; add rule ip test f ip saddr 10.10.0.3 drop'
finds 1 forward-dropped "the answer of pod default/netns02 (10.10.0.3) arrives and is dropped on this node" netns01
on A nft 'delete table ip test'
on netns02 nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in ip saddr 10.10.0.2 drop'
finds 1 pod-unanswered "what it sends to pod default/netns02 (10.10.0.3) reaches that pod, which does not answer it" netns01
on netns02 nft 'delete table ip test'
well netns01
ip -n A rule add fwmark 7 lookup 77
ip -n A route add default via 172.16.91.77 dev eth0 table 77
on A nft 'add table ip test; add chain ip test pre { type filter hook prerouting priority -150; }; add rule ip test pre ip saddr 10.10.0.2 ip daddr 10.10.0.3 meta mark set 7'
finds 1 pod-route "what it sends to pod default/netns02 (10.10.0.3) leaves through eth0: a rule by mark" netns01
on A nft 'delete table ip test'
ip -n A rule del fwmark 7 lookup 77
ip -n A route flush table 77
on A nft 'add table ip test; add chain ip test f { type filter hook forward priority 0; }; add rule ip test f ip protocol tcp drop'
finds 1 tcp-dropped "its pings to pod default/netns02 (10.10.0.3) pass but its TCP does not" netns01
finds 1 tcp-dropped "its pings to B (10.10.1.2) pass but its TCP does not" 10.10.1.2
on A nft 'delete table ip test'
well netns01
# The way between two pods, which this node's own packets do not take.
nft 'add table bridge test; add chain bridge test c { type filter hook forward priority 0; }; add rule bridge test c ip saddr 10.10.1.0/24 ip daddr 10.10.0.0/24 drop'
finds 3 pod-unanswered "what it sends to B (10.10.1.2) leaves this node, and nothing comes back" 10.10.1.2
nft 'delete table bridge test'
well 10.10.1.2
ip -n A rule add from 10.10.0.0/24 iif "$attach_end" prohibit
finds 1 "pod-route route-overridden" "takes no route, what this node sends there takes" netns01
ip -n A rule del from 10.10.0.0/24 iif "$attach_end" prohibit
# Rules that send pods' packets into another table, where another way leads to the peer.
ip -n A rule add from 10.10.0.0/24 lookup 77
ip -n A route add 172.16.91.202 via 172.16.91.77 dev eth0 table 77
ip -n A route add 10.10.1.0/24 via 172.16.91.77 dev eth0 table 77
finds 1 route-overridden "via 172.16.91.77 dev eth0 table 77" netns01
ip -n A rule del from 10.10.0.0/24 lookup 77
ip -n A route flush table 77
well netns01
on A nft 'add table ip test; add chain ip test pre { type nat hook prerouting priority -100; }; add rule ip test pre iifname '"$attach_end"' ip daddr 10.10.1.0/24 dnat to 172.16.91.77'
finds 1 address-translated "leaves this node for 172.16.91.77" netns01
on A nft 'delete table ip test; add table ip test; add chain ip test post { type nat hook postrouting priority 0; }; add rule ip test post ip saddr 10.10.0.0/24 ip daddr 10.10.1.0/24 snat to 172.16.91.99'
finds 1 address-translated "leaves this node from 172.16.91.99" netns01
on A nft 'delete table ip test'
well netns01
ip -n B route del 10.10.0.0/24
finds 3 pod-unanswered "leaves this node, and nothing comes back" netns01
applied B

# The pod itself.
on netns01 nft 'add table ip test; add chain ip test in { type filter hook input priority 0; }; add rule ip test in icmp type echo-reply drop'
finds 1 pod-drops "reaches the pod's interface, and the pod itself drops it" netns01
on netns01 nft 'delete table ip test'
ip -n netns01 addr add 10.10.0.99/32 dev eth0
ip -n netns01 route replace default via 169.254.1.1 dev eth0 onlink src 10.10.0.99
finds 1 pod-source "comes from 10.10.0.99, which is not its address" netns01
ip -n netns01 route replace default via 169.254.1.1 dev eth0 onlink
ip -n netns01 addr del 10.10.0.99/32 dev eth0
ip -n netns01 route add blackhole 172.16.91.0/24
ip -n netns01 route add blackhole 10.10.1.0/24
finds 1 pod-cannot-send "the pod itself cannot send to B (172.16.91.202): a blackhole route" netns01
ip -n netns01 route del blackhole 172.16.91.0/24
ip -n netns01 route del blackhole 10.10.1.0/24
ip -n A link set "$attach_end" arp off
finds 1 no-arp "ip link set $attach_end arp on" netns01
ip -n A link set "$attach_end" arp on
ip -n A neigh replace 10.10.0.2 dev "$attach_end" lladdr "$(ip -n netns01 -j link show eth0 | jq -r '.[0].address')" nud permanent
well netns01
ip -n netns01 link set eth0 mtu 1300
finds 1 mtu "the pod's end has MTU 1300, the host's end" netns01
ip -n netns01 link set eth0 mtu "$(ip -n A -j link show "$attach_end" | jq '.[0].mtu')"
well netns01
ip -n A route del 10.10.0.2
finds 1 route-missing "ip route add 10.10.0.2/32 dev $attach_end scope link proto 169" netns01
ip -n A route add 10.10.0.2 dev "$attach_end" scope link proto 169
well netns01
ip -n netns01 route del default
finds 1 pod-no-default "the pod has no default route" netns01
ip -n netns01 route add default via 169.254.1.1 dev eth0 onlink
well netns01
mac=$(ip -n netns01 -j link show eth0 | jq -r '.[0].address')
ip -n netns01 link set eth0 address 02:00:00:00:00:77
finds 1 neighbour-wrong "the pod has 02:00:00:00:00:77" netns01
ip -n netns01 link set eth0 address "$mac"
finds 1 pod-neighbour "the pod has lost its gateway's neighbour" netns01 # it went with the change
ip -n netns01 neigh replace 169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee nud permanent
well netns01
holds "what went through its interface" '.pods[0].counters | .packetsFromPod > 0 and .bytesToPod > 0' "$out"
node A check netns01 "${leases[@]}"
case $out in *"  packets  "*" from it, "*" to it; dropped "*) ;; *) fail "the counters of the pod: $out" ;; esac
ip -n A link set "$attach_end" alias ''
finds 1 alias-lost "ip link set $attach_end alias 'onlink pods netns01 eth0'"
ip -n A link set "$attach_end" alias "onlink pods netns01 eth0"
well
ip -n netns01 addr del 10.10.0.2/32 dev eth0
finds 1 pod-address-gone "the pod itself does not have 10.10.0.2" netns01
# A lease, and nothing else of what it was for.
ip -n A link del "$attach_end"
for subject in netns01 10.10.0.2 default/netns01; do
  node A check --json "${leases[@]}" "$subject"
  same "exit status of check $subject" "$status" 1
  holds "check $subject tells of its lease" '(.peers + .pods) == [] and ([.problems[].kind] == ["lease-without-interface"]) and
    (.problems[0].text | contains("10.10.0.2 of network pods is reserved for container netns01 (pod default/netns01) since 20"))' "$out"
done
done_testing
