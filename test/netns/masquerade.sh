#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# "ipMasq": true: pods speak to the outside with the host's address and to each other with their own; the table is made
# once, again when somebody has removed it, and goes with the network.
. "$(dirname "$0")/lib.bash"

# Outside: a namespace that knows no way to the pods.
pod outside
ip link add uplink type veth peer name eth0 netns outside
ip addr add 172.16.91.201/24 dev uplink; ip link set uplink up
ip -n outside addr add 172.16.91.202/24 dev eth0; ip -n outside link set eth0 up
pings() { ip netns exec "$1" ping -q -c 1 -W "${3:-10}" "$2" >/dev/null; }
tables() { nft -j list tables | jq -r '[.nftables[].table | select(.) | .name] | sort | join(",")'; }

conf; pod p1; cni ADD p1; ok ADD; checks=$((checks + 1))
! pings p1 172.16.91.202 1 || fail "without ipMasq the outside cannot answer"
same "no table is asked for" "$(tables)" ""
cni DEL p1; ok DEL

conf '.ipMasq = true'
cni ADD p1; ok ADD; address=$(jq -r '.ips[0].address' <<<"$out")
pod p2; cni ADD p2; ok "ADD p2"; other=$(jq -r '.ips[0].address' <<<"$out")
same "one table" "$(tables)" "onlink-net1"
rules=$(nft -a list table inet onlink-net1)
pings p1 172.16.91.202 || fail "with ipMasq the outside answers"
checks=$((checks + 1))
ip netns exec p2 tcpdump -lnni eth0 -c 1 icmp >"$work/seen" 2>/dev/null & sniffer=$!
for _ in $(seq 20); do pings p1 "${other%/*}" && [ -s "$work/seen" ] && break; done; wait $sniffer
grep -q " ${address%/*} > " "$work/seen" || fail "pods see each other's own address: $(cat "$work/seen")"
checks=$((checks + 1))

pod p3; cni ADD p3; ok "ADD p3"
same "nothing per pod" "$(nft -a list table inet onlink-net1)" "$rules"
with_prev "$out"; cni CHECK p3; ok CHECK
nft delete table inet onlink-net1
cni CHECK p3; refused 101 "nftables"
cni DEL p3; ok "DEL p3"; cni ADD p3; ok "ADD p3"; same "made again" "$(tables)" "onlink-net1"

conf "$dual" '.name = "net-6.x" | .ipMasq = true'; pod p4; cni ADD p4; ok "ADD p4"
same "a table for each network" "$(tables)" "onlink-net-6.x,onlink-net1"

conf '.ipMasq = true | .ipam = {"type":"host-local","subnet":"10.40.0.0/24"} | .cniVersion = "1.0.0" | .name = "net3"'
pod p5; cni ADD p5; ok "ADD with another IPAM"
pings p5 172.16.91.202 || fail "masquerade of another IPAM's subnet"; checks=$((checks + 1))

conf '.ipMasq = true | .["cni.dev/valid-attachments"] = []'; cni GC -; ok GC
same "the table goes with the network" "$(tables)" "onlink-net-6.x,onlink-net3"
done_testing
