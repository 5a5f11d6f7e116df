#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# "ipMasq": true: pods speak to the outside with the host's address and to each other with their own; the table is made
# once, again when somebody has removed it, and goes with the network.
. "$(dirname "$0")/lib.bash"

# Outside: a namespace that knows no way to the pods.
begin() {
  empty_host
  pod outside
  ip link add uplink type veth peer name eth0 netns outside
  ip addr add 172.16.91.201/24 dev uplink; ip link set uplink up
  ip -n outside addr add 172.16.91.202/24 dev eth0; ip -n outside link set eth0 up
}
begin
pings() { ip netns exec "$1" ping -q -c 1 -W "${3:-10}" "$2" >/dev/null; }
# Beside the one that looks at the sources of pods (sources.sh).
tables() { nft -j list tables | jq -r '[.nftables[].table | select(.) | .name | select(. != "onlink_onl")] | sort | join(",")'; }

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

# Many runtimes never call GC: the last DEL takes it away.
conf "$dual" '.name = "net-6.x" | .ipMasq = true'; cni DEL p4; ok "DEL p4"
same "the table goes with the last attachment" "$(tables)" "onlink-net3"
conf '.ipMasq = true | .ipam = {"type":"host-local","subnet":"10.40.0.0/24"} | .cniVersion = "1.0.0" | .name = "net3"'; cni DEL p5; ok "DEL p5"
same "no table is left" "$(nft list tables)" ""
begin

# Its subnets are more, or others, than when the first pod came: each pod is masqueraded.
two() { # WHAT IPAM-OF-THE-FIRST IPAM-OF-THE-SECOND
  local pod ipam
  for pod in p1 p2; do
    ipam=$2; [ $pod = p1 ] || ipam=$3
    conf '.ipMasq = true | .cniVersion = "1.0.0"' ".ipam = $ipam"; pod $pod; cni ADD $pod; ok "ADD $pod ($1)"
    with_prev "$out"; cni CHECK $pod; ok "CHECK $pod ($1)"
    pings $pod 172.16.91.202 || fail "$1: $pod is not masqueraded"; checks=$((checks + 1))
  done
  pings p1 172.16.91.202 || fail "$1: p1 is not masqueraded any more"
  for pod in p1 p2; do cni DEL $pod; ok "DEL $pod ($1)"; done
  same "no table is left ($1)" "$(nft list tables)" ""
  begin
}
two static '{"type":"static","addresses":[{"address":"10.40.1.5/32"}]}' '{"type":"static","addresses":[{"address":"10.40.2.6/32"}]}'
both='{"type":"host-local","ranges":[[{"subnet":"10.41.0.0/30"},{"subnet":"10.42.0.0/30"}]]}'
two "host-local, two ranges" "$both" "$both"
two "a range added later" '{"type":"onlink-ipam","ranges":[[{"subnet":"10.41.0.0/30"}]]}' "${both/host-local/onlink-ipam}"
two "a larger subnet" '{"type":"static","addresses":[{"address":"10.40.1.5/24"}]}' '{"type":"static","addresses":[{"address":"10.40.2.6/16"}]}'
two "a smaller subnet" '{"type":"static","addresses":[{"address":"10.40.1.5/16"}]}' '{"type":"static","addresses":[{"address":"10.40.2.6/24"}]}'

# Rules that somebody has flushed are told by CHECK and made again by the next ADD, with the elements of the others.
conf '.ipMasq = true'; pod p1; cni ADD p1; ok ADD; first=$out
nft flush table inet onlink-net1
with_prev "$first"; cni CHECK p1; refused 101 "table inet onlink-net1 is missing or incomplete: ipMasq does nothing"
conf '.ipMasq = true | .ipam.subnet = "10.50.0.0/24"'; pod p2; cni ADD p2; ok "ADD after nft flush table"
for pod in p1 p2; do pings $pod 172.16.91.202 || fail "after nft flush table: $pod is not masqueraded"; checks=$((checks + 1)); done
# Rules that somebody has put to sleep, too.
conf '.ipMasq = true'; cni DEL p2; ok "DEL p2"
for table in onlink-net1 onlink_onl; do nft "add table inet $table { flags dormant; }"; done
conf ".ipMasq = true | .log = {\"file\": \"$work/log\"}"; with_prev "$first"; cni CHECK p1
refused 101 "table inet onlink-net1 is dormant: ipMasq does nothing"
same "told of the check of sources" "$(grep -c "table inet onlink_onl is dormant: only rp_filter" "$work/log")" 1
conf '.ipMasq = true'; cni ADD p2; ok "ADD where the tables sleep"
same "sleeping tables" "$(nft list ruleset | grep dormant)" ""
with_prev "$first"; cni CHECK p1; ok "CHECK after that ADD"
nft flush set inet onlink-net1 masqueraded_v4
conf '.ipMasq = true'; with_prev "$first"; cni CHECK p1; refused 101 "lacks 10.10.0."
nft flush set inet onlink-net1 inside_v4
cni CHECK p1; refused 101 "set inside_v4 of nftables table inet onlink-net1 lacks a part"

# A network that turned it off has no table after its next pod; a name of 255 bytes has one.
conf '.ipMasq = false'; pod p3; cni ADD p3; ok "ADD without ipMasq"
same "ipMasq turned off" "$(tables)" ""
begin
long=$(printf 'n%.0s' $(seq 255))
conf '.ipMasq = true | .name = "'$long'"'; pod p1; cni ADD p1; ok "ADD of a network with a name of 255 bytes"; with_prev "$out"
pings p1 172.16.91.202 || fail "a name of 255 bytes: not masqueraded"; checks=$((checks + 1))
cni CHECK p1; ok "CHECK of a network with a name of 255 bytes"
conf '.ipMasq = true | .name = "'$long'" | .["cni.dev/valid-attachments"] = [{"containerID":"p1","ifname":"eth0"}]'; cni GC -; ok GC
pings p1 172.16.91.202 || fail "a name of 255 bytes: GC took a valid attachment"
cni DEL p1; ok "DEL of a network with a name of 255 bytes"
same "all of it is gone" "$(nft list tables; files; ip -o link show type veth | grep -v uplink)" ""

# A DEL with the configuration of its own ADD took away the masquerade that a living pod of the network needs.
conf '.hostInterfacePrefix = "abc"'; former=$conf; cni ADD p1; ok "ADD before ipMasq"
conf '.ipMasq = true'; pod p2; cni ADD p2; ok "ADD with ipMasq"; second=$out
conf=$former; cni DEL p1; ok "DEL with the former configuration"
pings p2 172.16.91.202 || fail "a DEL took a living pod's masquerade"; checks=$((checks + 1))
conf '.ipMasq = true'; with_prev "$second"; cni CHECK p2; ok "CHECK after the DEL of another"
conf=$former; cni DEL p2; ok "the last DEL, with the former configuration"
same "no table is left by the former configuration" "$(nft list tables)" ""

# No program is needed, and no file of nftables.
mount -t tmpfs none /usr/sbin
conf '.ipMasq = true'; pod p4; cni ADD p4; ok "ADD without the program nft"; cni DEL p4; ok "DEL without the program nft"
done_testing
