#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# onlink with each chained plugin of the field behind it: ADD, CHECK right after it, what the plugin is for, traffic, DEL
# that leaves nothing.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/libcni.bash"
need python3 python3; need iperf3 iperf3; need iptables iptables
ip route add default dev lo  # a host has a default route
pod p2; conflist 1.0.0 '.name = "other" | del(.plugins[1]) | .plugins[0].ipam.subnet = "10.20.0.0/24"'
drive ADD p2; ok "ADD of the pod to talk to"; other=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")

# chain PLUGIN...: onlink and these (JSON) behind it.
chain() {
  local plugins; plugins=$(jq -cs . <<<"$*")
  conflist "${version:-1.0.0}" ".plugins = [.plugins[0]] + $plugins"
}
# learns: the host asks for the pod's MAC, which a plugin behind onlink changes.
learns() { jq '.plugins[0].hostNeighbour = "learned"' $list >$work/learns && mv $work/learns $list; }
# What a pod must not leave on the host: links, routes, leases, rules that name it.
state() { ip -j link | jq -r '.[].ifname'; ip -4 route show table all; files; iptables-save | grep -F "${address:-10.10.0.}" || true; }
attach() { # WHAT: ADD and CHECK; the address in $address, the host's end in $host
  pod p1; before=$(state)
  drive ADD p1; ok "ADD with $1"; result=$out
  address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out"); host=$(jq -r '.interfaces[0].name' <<<"$out")
  drive CHECK p1; ok "CHECK with $1"
}
reaches() { # WHAT: the pod reaches another and the host, and is reached
  checks=$((checks + 3))
  ping -q -c 1 -W 10 "$address" >/dev/null || fail "$1: the host does not reach the pod"
  ip netns exec p1 ping -q -c 1 -W 10 -I "$address" "$other" >/dev/null || fail "$1: the pod does not reach another"
  ip netns exec p2 ping -q -c 1 -W 10 "$address" >/dev/null || fail "$1: another pod does not reach the pod"
}
detach() { # WHAT
  drive DEL p1; ok "DEL with $1"; drive DEL p1; ok "DEL with $1 again"
  same "host after DEL with $1" "$(state)" "$before"
  ip netns del p1
}

# bandwidth: 20 Mbit/s to the pod, 10 from it.
chain '{"type":"bandwidth","ingressRate":20000000,"ingressBurst":400000,"egressRate":10000000,"egressBurst":400000}'
attach bandwidth; reaches bandwidth
ip netns exec p1 iperf3 -s -D -1 -I $work/pid; until_true 5 test -s $work/pid
rate() { ip netns exec p2 iperf3 -c "$address" -t 3 -J "$@" | jq '.end.sum_received.bits_per_second / 1e6 | floor'; }
listening() { [ -n "$(ip netns exec p1 ss -Hltn sport = :5201)" ]; }
until_true 5 listening || fail "iperf3"
to_pod=$(rate); ip netns exec p1 iperf3 -s -D -1; until_true 5 listening; from_pod=$(rate -R)
echo "bandwidth: $to_pod Mbit/s to the pod (limit 20), $from_pod from it (limit 10)"
holds "rate to the pod" '. >= 14 and . <= 22' "$to_pod"
holds "rate from the pod" '. >= 7 and . <= 12' "$from_pod"
detach bandwidth

# tuning: a setting of the container, another MAC, another MTU.
chain '{"type":"tuning","sysctl":{"net.core.somaxconn":"500"},"mtu":1400}'
attach "tuning of settings"; reaches "tuning of settings"
same "somaxconn" "$(ip netns exec p1 cat /proc/sys/net/core/somaxconn)" 500
same "MTU" "$(cat "/sys/class/net/$host/mtu") $(ip -n p1 -j link show eth0 | jq '.[0].mtu')" "1500 1400"
detach "tuning of settings"
chain '{"type":"tuning","mac":"02:11:22:33:44:55"}'; learns
attach "tuning of the MAC"; reaches "tuning of the MAC"
same "MAC" "$(ip -n p1 -j link show eth0 | jq -r '.[0].address')" 02:11:22:33:44:55
same "what the host has learned" "$(ip -j neigh show "$address" dev "$host" | jq -r '.[0].lladdr')" 02:11:22:33:44:55
detach "tuning of the MAC"
# Without, the host goes on with the MAC that it gave: the log tells, and CHECK is content with what the chain has said.
chain '{"type":"tuning","mac":"02:11:22:33:44:55"}'
pod p1; before=$(state); drive ADD p1; ok "ADD with a MAC that onlink does not know of"
address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
checks=$((checks + 1)); ! ping -q -c 1 -W 1 "$address" >/dev/null || fail "a packet to the MAC that was"
ip -n p1 -j link show eth0 | jq -e '.[0].address == "02:11:22:33:44:55"' >/dev/null || fail "tuning did not change the MAC"
jq '.plugins[0].log = {file: "'$work'/log"}' $list >$work/logged && mv $work/logged $list
drive CHECK p1; ok "CHECK with a MAC that a chained plugin gave"; checks=$((checks + 1))
grep -q "host: neighbour $address has MAC" $work/log || fail "the log does not say so: $(cat $work/log)"
detach "tuning of the MAC"

# firewall: what is forwarded is what it admits, that is what the pod starts, and answers.
iptables -P FORWARD DROP
chain '{"type":"firewall","backend":"iptables"}'
attach firewall
checks=$((checks + 3))
ping -q -c 1 -W 10 "$address" >/dev/null || fail "firewall: the host does not reach the pod"
ip netns exec p1 ping -q -c 1 -W 10 "$other" >/dev/null || fail "firewall: the pod does not reach another"
! ip netns exec p2 ping -q -c 1 -W 1 "$address" >/dev/null || fail "firewall: another pod reaches the pod"
detach firewall
iptables -P FORWARD ACCEPT

# sbr: the second network of a pod answers through itself. Without, the answer would leave by the first network's
# interface, whose host end refuses a source that is not its pod's (rp_filter).
pod p1; conflist 1.0.0 '.name = "first" | del(.plugins[1]) | .plugins[0].ipam.subnet = "10.30.0.0/24"'
drive ADD p1; ok "ADD of the first network"; first_end=$(jq -r '.interfaces[0].name' <<<"$out")
first=$(ip -n p1 route)
second() { conflist 1.0.0 ".plugins = [.plugins[0] + {isDefaultGateway: false}] + $1"; }
second '[]'; drive ADD p1 net1; ok "ADD of the second network without sbr"; address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
checks=$((checks + 1)); ! ping -q -c 1 -W 1 "$address" >/dev/null || fail "an answer by the wrong interface"
drive DEL p1 net1; ok "DEL of the second network"
second '[{type: "sbr"}]'; drive ADD p1 net1; ok "ADD of the second network with sbr"; address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
same "route of an answer" "$(ip -n p1 -j route get 192.0.2.1 from "$address" | jq -r '.[0].dev')" net1
drive CHECK p1 net1; ok "CHECK with sbr"
reaches sbr
ip -n p1 route flush table 100; drive CHECK p1 net1; refused "CHECK with sbr, without its routes" "route 169.254.1.1/32 dev net1"
drive DEL p1 net1; ok "DEL with sbr"
same "routes after DEL with sbr" "$(ip -n p1 route)" "$first"
same "rules after DEL with sbr" "$(ip -n p1 rule show table 100)" ""

# sbr drops the routes that its default route covers. With both families.
second '[{type: "sbr"}] | .plugins[0].ipam = {type: "onlink-ipam", ranges: [[{subnet: "10.40.0.0/24"}], [{subnet: "fd00:40::/64"}]],
  routes: [{dst: "10.96.0.0/12"}, {dst: "fd00:96::/108"}]}'
drive ADD p1 net1; ok "ADD with sbr and routes of the IPAM"; addresses=$(jq -r '.ips[].address | sub("/.*"; "")' <<<"$out")
drive CHECK p1 net1; ok "CHECK with sbr and routes of the IPAM"
ip -6 addr add 2001:db8::1/128 dev lo
for address in $addresses; do ping -q -c 1 -W 10 "$address" >/dev/null || fail "sbr: the host does not reach $address"; done
drive DEL p1 net1; ok "DEL with sbr and routes of the IPAM"
# tuning of an MTU beside the newest plugins: it hands our MTU on unchanged, and CHECK comes right after.
ip netns del p1; until_true 10 eval '! ip link show "$first_end" 2>/dev/null' >/dev/null || fail "the first network's end stays"
if [ -n "$newest" ]; then
  reference=$newest
  for version in 1.0.0 ${libcni_tags:+1.1.0}; do  # as far as this libcni goes
    chain '{"type":"tuning","mtu":1400,"sysctl":{"net.core.somaxconn":"500"}}'
    attach "tuning of the MTU ($version)"; reaches "tuning of the MTU ($version)"
    same "MTU ($version)" "$(ip -n p1 -j link show eth0 | jq '.[0].mtu')" 1400
    detach "tuning of the MTU ($version)"
  done
fi
done_testing
