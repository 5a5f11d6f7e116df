#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# vxlanMode: both families of pods over nodes that have one family of addresses. The device, an entry of each kind for a
# peer, and routes: all mended at once, all gone after clean. The other end of one test is a VXLAN device made by hand.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan

subnets='.nodes[0].podCIDRs = ["10.10.0.0/24","fd00:10:0::/64"] | .nodes[1].podCIDRs = ["10.10.1.0/24","fd00:10:1::/64"]'
# In this order: MAC and VNI, port, source, learning.
device() { ip -d -j -n "$1" link show vxlan.onlink | jq -c '.[0] | [.address, .mtu, .linkinfo.info_data.id, .linkinfo.info_data.port, .linkinfo.info_data.local // .linkinfo.info_data.local6, (.linkinfo.info_data.learning // false)]'; }
fdb() { on "$1" bridge -j fdb show dev vxlan.onlink | jq -c 'map([.mac, .dst]) | sort'; }
neighbours() { ip -j -n "$1" neigh show dev vxlan.onlink nud permanent | jq -c 'map([.dst, .lladdr]) | sort'; }

seed_hosts
seed_cluster "$subnets" '.masquerade = true | .filter = true | del(.ipipMode) | .vxlanMode = "Always"'
node A plan
same "what is planned" "$status $(grep -c '^ip link add vxlan.onlink address 02:6f:ac:10:5b:c9 type vxlan id 4096 local 172.16.91.201 dstport 4789 nolearning$' <<<"$out")" "0 1"
same "nothing was made" "$(ip -n A link show vxlan.onlink 2>&1 | grep -c 'does not exist')" 1
# What plan prints, typed by hand on B: the other end is a device that iproute2 made.
node B plan
on B sh -e <<<"$(grep -E '^(ip|bridge|sysctl) ' <<<"$out")" >/dev/null
node B plan
same "what is left to do on B" "$(grep -cE '^(ip|bridge) ' <<<"$out" || true)" 0
# In a container, whose /proc/sys is read-only, on a host with a strict rp_filter.
on A sh -c 'cd /proc/sys/net && echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/all/forwarding && echo 1 >ipv4/conf/default/rp_filter'
node_command A
# shellcheck disable=SC2016
on A unshare -m sh -c 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"' - \
  "${command[@]}" apply >"$work/applied" 2>&1 || fail "apply with a read-only /proc/sys: $(cat "$work/applied")"
same "rp_filter of the device" "$(on A cat /proc/sys/net/ipv4/conf/vxlan.onlink/rp_filter)" 2
applied B
for name in a1 a2; do dual_pod A "$name"; done
for name in b1 b2; do dual_pod B "$name"; done
same "the device" "$(device A)" '["02:6f:ac:10:5b:c9",1450,4096,4789,"172.16.91.201",false]'
same "who has which MAC" "$(fdb A)" '[["02:6f:ac:10:5b:ca","172.16.91.202"]]'
same "which MAC has which end" "$(neighbours A)" '[["10.10.1.1","02:6f:ac:10:5b:ca"],["fe80::6f:acff:fe10:5bca","02:6f:ac:10:5b:ca"]]'
same "the IPv4 route" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 10.10.1.1 dev vxlan.onlink proto 169 src 10.10.0.1 onlink"
same "the IPv6 route" "$(ip -6 -n A route show fd00:10:1::/64 | sed 's/ *$//')" \
  "fd00:10:1::/64 via fe80::6f:acff:fe10:5bca dev vxlan.onlink proto 169 src fd00:10::1 metric 1024 pref medium"
same "the ends" "$(ip -j -n A addr show vxlan.onlink | jq -c '[.[0].addr_info[] | select(.scope == "global") | .local] | sort')" '["10.10.0.1","fd00:10::1"]'
same "the MTU for pods" "$(cat "$work/A/run/mtu")" 1450
same "no pod has the ends' addresses" "${v4[a1]} ${v6[a1]}" "10.10.0.2 fd00:10::2"
for name in A B; do applied "$name"; same "a second apply on $name" "$out" ""; done

# Pods and hosts, both families, a packet of the largest size that may not be cut, and one that is larger.
talk_all() {
  checks=$((checks + 1))
  "$python" "$talk" pairs a1="${v4[a1]}" a2="${v4[a2]}" b1="${v4[b1]}" b2="${v4[b2]}" >"$work/talk" || fail "IPv4 pods do not all talk"
  "$python" "$talk" pairs a1="${v6[a1]}" a2="${v6[a2]}" b1="${v6[b1]}" b2="${v6[b2]}" >"$work/talk" || fail "IPv6 pods do not all talk"
}
talk_all
for address in "${v4[b1]}" "${v6[b1]}"; do
  reaches a1 "$address"
  reaches A "$address"
done
same "the source of a host's packets" "$(ip -j -n A route get "${v6[b1]}" | jq -r '.[0].prefsrc')" fd00:10::1
count_packets B eth0 'udp port 4789' reaches a1 "${v4[b1]}"
[ "$seen" -ge 2 ] || fail "no VXLAN on the wire: $seen"
reaches a1 "${v4[b1]}" -M do -s 1422
reaches a1 "${v6[b1]}" -M do -s 1402
cut_off a1 "${v4[b1]}" -M do -s 1423

# Mended at once, and foreign neighbours and entries on other devices are nobody's concern.
start_node A
eventually 5 test -s "$work/A/run/service.json"
whole="$(fdb A) $(neighbours A) $(device A) $(route_line A 10.10.1.0/24)"
mended() { [ "$(fdb A) $(neighbours A) $(device A) $(route_line A 10.10.1.0/24)" = "$whole" ]; }
on A bridge fdb del 02:6f:ac:10:5b:ca dev vxlan.onlink
eventually 2 mended
on A bridge fdb append 02:6f:ac:10:5b:ca dev vxlan.onlink dst 172.16.91.99
eventually 2 mended
on A bridge fdb append 02:00:00:00:00:99 dev vxlan.onlink dst 172.16.91.99
eventually 2 mended
# To the same node, but in another way: no packet arrives.
entries=$(on A bridge fdb show dev vxlan.onlink)
plain() { [ "$(on A bridge fdb show dev vxlan.onlink)" = "$entries" ]; }
for other in "port 4790" "vni 77" "via lo"; do
  for verb in replace append; do
    # shellcheck disable=SC2086
    on A bridge fdb "$verb" 02:6f:ac:10:5b:ca dev vxlan.onlink dst 172.16.91.202 $other self permanent
    eventually 2 plain
    reaches A 10.10.1.1
  done
done
ip -n A nexthop add id 102 via 172.16.91.99 fdb
ip -n A nexthop add id 103 group 102 fdb
on A sh -c 'bridge fdb del 02:6f:ac:10:5b:ca dev vxlan.onlink && bridge fdb add 02:6f:ac:10:5b:ca dev vxlan.onlink nhid 103 self permanent'
eventually 2 plain
reaches A 10.10.1.1
ip -n A neigh del 10.10.1.1 dev vxlan.onlink
eventually 2 mended
ip -n A neigh replace 10.10.1.1 dev vxlan.onlink lladdr 02:00:00:00:00:01 nud permanent
eventually 2 mended
ip -n A neigh add 10.10.9.9 dev vxlan.onlink lladdr 02:00:00:00:00:01 nud permanent
eventually 2 mended
ip -n A link set vxlan.onlink mtu 1300
eventually 2 mended
ip -n A link set vxlan.onlink down
eventually 2 mended
ip -n A addr flush dev vxlan.onlink
eventually 2 mended
ip -n A link del vxlan.onlink
eventually 2 mended
# Under another name it still has the VNI and the port.
ip -n A link set vxlan.onlink down
ip -n A link set vxlan.onlink name other
eventually 2 mended
same "the one with another name" "$(ip -n A -br link show type vxlan | wc -l)" 1
ip -n A link set eth0 mtu 1400
eventually 2 eval '[ "$(device A | jq ".[1]")" = 1350 ] && [ "$(cat "$work/A/run/mtu")" = 1350 ]'
ip -n A link set eth0 mtu 1500
eventually 2 mended
talk_all
passes=$(jq .passes "$work/A/run/service.json")
ip -n A neigh add 172.16.91.77 dev eth0 lladdr 02:00:00:00:00:07
reaches a1 "${v4[b1]}"
same "a neighbour elsewhere costs no pass" "$(jq .passes "$work/A/run/service.json")" "$passes"

# Another network identifier: the device is made anew.
seed_cluster "$subnets" '.masquerade = true | .filter = true | del(.ipipMode) | .vxlanMode = "Always" | .vxlanVNI = 77 | .vxlanPort = 8472'
eventually 5 eval '[ "$(device A)" = "[\"02:6f:ac:10:5b:c9\",1450,77,8472,\"172.16.91.201\",false]" ]'
applied B
eventually 5 reaches a1 "${v4[b1]}"
reaches a1 "${v6[b1]}"
seed_cluster "$subnets" '.masquerade = true | .filter = true | del(.ipipMode) | .vxlanMode = "Always"'
eventually 5 mended
applied B
reaches a1 "${v6[b1]}"

# Status.
node A status --json
same "status" "$status $(jq -c '[.peers[] | [.podCIDR, .path, .state, .vxlanMode]]' <<<"$out")" \
  '0 [["10.10.1.0/24","vxlan","ok","Always"],["fd00:10:1::/64","vxlan","ok","Always"]]'
same "its device" "$(jq -c '.vxlan | [.device, .local, .port, .vni, .mtu, .up, .entries]' <<<"$out")" '["vxlan.onlink","172.16.91.201",4789,4096,1450,true,1]'

# Check asks through the device, for both families; where the port does not pass it says so.
node A check --json
same "check" "$status $(jq -c '[.peers[] | [.path, .problem]]' <<<"$out")" '0 [["vxlan",null],["vxlan",null]]'
on A nft 'add table ip6 wall; add chain ip6 wall f { type filter hook forward priority 0; }; add rule ip6 wall f drop'
node A check a1
same "check where IPv6 of pods is dropped here" "$status $(grep -c 'what it sends to B (fd00:10:1::1) is not answered, though this node is' <<<"$out$errors")" "1 1"
on A nft delete table ip6 wall
on B nft 'add table ip6 wall; add chain ip6 wall in { type filter hook input priority 0; }; add rule ip6 wall in icmpv6 type echo-request drop'
node A check
same "check where IPv6 alone does not answer" "$status $(grep -c 'fd00:10:1::1 does not answer, though VXLAN from and to 172.16.91.202 passes' <<<"$out$errors")" "3 1"
on B nft delete table ip6 wall
on B sh -c 'nft add table inet wall && nft add chain inet wall input "{ type filter hook input priority 0; }" && nft add rule inet wall input udp dport 4789 drop'
node A check
same "check where the port is shut" "$status $(grep -c 'UDP 4789 does not pass: 172.16.91.202 answers' <<<"$out$errors")" "3 2"
on B nft replace rule inet wall input handle "$(on B nft -a list chain inet wall input | sed -n 's/.*drop # handle //p')" udp dport 4789 reject with icmpx admin-prohibited
node A check
same "check where a firewall says that it rejects" "$status $(grep -c '172.16.91.202 refuses it: a firewall rejects it' <<<"$out$errors")" "3 1"
on B nft delete table inet wall
# The file of one node is another: who of the two does not agree.
cluster_of[B]=$work/other.json
ip -n B addr add 172.16.91.222/24 dev eth0
for other in '.nodes[1].nodeIP = "172.16.91.222"|it sends VXLAN from 172.16.91.222, and only 172.16.91.202, its address in the list of nodes, may' \
  '.vxlanPort = 8472|it sends VXLAN to port 8472 with VNI 4096, and this node has vxlanPort 4789 and vxlanVNI 4096' \
  '.vxlanVNI = 77|it sends VXLAN to port 4789 with VNI 77, and this node has vxlanPort 4789 and vxlanVNI 4096'; do
  jq "${other%%|*}" "$cluster" >"$work/other.json"
  applied B
  node A check
  same "check where the other node has ${other%%|*}" "$status $(grep -c "${other#*|}" <<<"$out$errors")" "3 1"
done
ip -n B addr del 172.16.91.222/24 dev eth0
# Where a strict rp_filter there keeps it from telling.
on B sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
node A check
same "check where the other node cannot tell" "$status $(grep -c 'UDP 4789 does not pass: 172.16.91.202 answers, 10.10.1.1 through VXLAN does not. .* has another vxlanVNI than 4096' <<<"$out$errors")" "3 1"
on B sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
unset 'cluster_of[B]'
node B clean; ok "clean: $errors"
node A check
same "check where onlink-node does not run" "$status $(grep -c '172.16.91.202 refuses UDP 4789: onlink-node does not run there' <<<"$out$errors")" "3 1"
applied B

# Nobody needs it any more: the device goes, and with it all that was on it.
seed_cluster "$subnets" '.ipipMode = "Never" | .ipipModeIPv6 = "Never" | .nodes |= map(.podCIDRs = [.podCIDRs[0]])'
eventually 5 eval '! ip -n A link show vxlan.onlink'
same "the direct route" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
applied B
eventually 5 reaches a1 "${v4[b1]}"
# The other node's file has still the mode of before.
cluster_of[B]=$work/other.json
jq "$subnets"' | del(.ipipMode) | .vxlanMode = "Always"' "$cluster" >"$work/other.json"
applied B
node A check a1
same "check where the other node has another mode" "$status $(grep -c 'comes through VXLAN, which this node does not have: vxlanMode of the two nodes. files differ' <<<"$out$errors")" "3 1"
unset 'cluster_of[B]'
applied B
stop_node A
# Of two families the route of one.
a1_end=$(ip -j -n A -6 route show "${v6[a1]}" | jq -r '.[0].dev')
ip -n A -6 route del "${v6[a1]}"
node A check a1
same "check where the IPv6 route to a pod is missing" "$status $(grep -c "the host's route is missing: ip route add ${v6[a1]}/128 dev $a1_end" <<<"$out$errors")" "1 1"
ip -n A -6 route add "${v6[a1]}" dev "$a1_end" proto 169 metric 1024
node A check a1; ok "check with the route again: $errors$out"

# Over IPv6 nodes, without any IPv4 address of theirs.
seed_cluster "$subnets" '.masquerade = true | .filter = true | del(.ipipMode) | .vxlanMode = "CrossSubnet" |
  .nodes[0] |= (del(.nodeIP) | .nodeIPv6 = "fd00:91::201") | .nodes[1] |= (del(.nodeIP) | .nodeIPv6 = "fd00:91::202")'
for name in A B; do
  ip -n "$name" addr flush dev eth0
  ip -n "$name" addr add "fd00:91::20$([ "$name" = A ] && echo 1 || echo 2)/64" dev eth0 nodad
  applied "$name"
done
same "over IPv6" "$(device A | jq -c '.[1:]')" '[1430,4096,4789,"fd00:91::201",false]'
talk_all
count_packets B eth0 'ip6 and udp port 4789' reaches a1 "${v4[b1]}"
[ "$seen" -ge 2 ] || fail "no VXLAN over IPv6 on the wire: $seen"
same "IPv6 pods go directly on one network" "$(ip -6 -n A route show fd00:10:1::/64 | grep -c 'via fd00:91::202 dev eth0')" 1
ip -n B link set vxlan.onlink down
ip -n B link set vxlan.onlink name other
node B plan
same "what plan does with a device of another name" "$(grep '^ip link del' <<<"$out")" "ip link del other"
for name in A B; do
  node "$name" clean
  same "clean on $name" "$status $errors" "0 "
  same "what is left on $name" "$(ip -n "$name" -br link show type vxlan | wc -l) $(ip -n "$name" route show proto 169 | grep -vc 'scope link')" "0 0"
done
done_testing
