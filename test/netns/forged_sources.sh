#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pod cannot send with another's address, IPv4 or IPv6, also where somebody has made the host's rp_filter loose or has
# turned it off, as udevd does for every new interface where a distribution's sysctl.d says so.
. "$(dirname "$0")/lib.bash"
ip addr add 2001:db8::1/128 dev lo nodad

# listen: what arrives on the host's UDP port, a line each, in $work/heard.
listener='import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::", 9))
print("ready", flush=True)
while True: print(s.recvfrom(100)[0].decode(), flush=True)'
sender='import socket, sys
source, to, text = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6 if ":" in to else socket.IPPROTO_IP, 78 if ":" in to else 15, 1)  # FREEBIND, TRANSPARENT
s.bind((source, 0)); s.sendto(text.encode(), (to, 9))'
$python -c "$listener" >$work/heard & listening=$!
for _ in $(seq 100); do [ -s $work/heard ] && break; sleep 0.05; done
send() { ip netns exec "$1" $python -c "$sender" "$2" "$3" "$4"; }
heard() { # TEXT
  local _
  for _ in $(seq 100); do grep -qx "$1" $work/heard && return; sleep 0.05; done
  fail "$1 did not arrive: $(cat $work/heard)"
}

like() { # ADDRESS RESULT: the result's address of the same family
  jq -r --arg like "$1" '[.ips[].address | sub("/.*"; "") | select(contains(":") == ($like | contains(":")))][0]' <<<"$2"
}
attempt() { # WHAT: p1 sends with its own address and with p2's; what comes after an own packet has been dropped
  local destination source forged forged_prefix number=0
  for destination in 192.0.2.1 2001:db8::1; do
    source=$(like "$destination" "$one"); forged=$(like "$destination" "$two")
    forged_prefix=$forged/32; [[ $forged != *:* ]] || forged_prefix=$forged/128
    ip -n p1 addr add "$forged_prefix" dev lo
    number=$((number + 1))
    send p1 "$source" $destination "before-$1-$number"; heard "before-$1-$number"
    send p1 "$forged" $destination "forged-$1-$number"
    send p1 "$source" $destination "after-$1-$number"; heard "after-$1-$number"
    ip -n p1 addr del "$forged_prefix" dev lo
    checks=$((checks + 2))
    ! grep -qx "forged-$1-$number" $work/heard || fail "$1: a packet with p2's address $forged came from p1"
  done
}

conf "$dual"; pod p1; cni ADD p1; ok "ADD p1"; one=$out; pod p2; cni ADD p2; ok "ADD p2"; two=$out
host=$(jq -r '.interfaces[0].name' <<<"$one")
attempt as-made
sysctl -qw "net.ipv4.conf.$host.rp_filter=2"; attempt loose
sysctl -qw "net.ipv4.conf.$host.rp_filter=0" net.ipv4.conf.all.rp_filter=0; attempt off
sysctl -qw net.ipv4.conf.all.rp_filter=2; attempt all-loose

# Flushed by somebody, the rule is there again with the next pod.
nft flush ruleset; pod p3; cni ADD p3; ok "ADD p3"; attempt flushed
nft flush table inet onlink_onl; cni DEL p3; ok "DEL p3"; cni ADD p3; ok "ADD p3"; attempt "flushed-table"
conf '.hostInterfacePrefix = "cali" | .name = "net2" | .ipam.subnet = "10.20.0.0/24"'; pod p4; cni ADD p4; ok "ADD p4"
same "a table for each prefix" "$(nft -j list tables | jq -r '[.nftables[].table | select(.) | .name] | sort | join(",")')" "onlink_cali,onlink_onl"
cni DEL p4; ok "DEL p4"
same "gone with its last interface" "$(nft -j list tables | jq -r '[.nftables[].table | select(.) | .name] | join(",")')" "onlink_onl"
conf "$dual"; for pod in p1 p2 p3; do cni DEL $pod; ok "DEL $pod"; done
same "no table is left" "$(nft list tables)" ""

# What the first pod makes takes no other table's place: whoever closes a netfilter socket while one goes waits for RCU.
nft monitor >$work/told & telling=$!
for _ in $(seq 100); do
  nft add table inet probe; nft delete table inet probe
  [ ! -s $work/told ] || break
  sleep 0.05
done
cni ADD p1; ok "ADD p1"
nft add table inet between
cni DEL p1; ok "DEL p1"
nft delete table inet between
for _ in $(seq 100); do grep -q 'delete table inet between' $work/told && break; sleep 0.05; done
same "tables that were made and went" "$(sed 's/^create/add/' $work/told | grep -E '^(add|delete) table inet (onlink|between)' | tr '\n' ',')" \
  "add table inet onlink_onl,add table inet between,delete table inet onlink_onl,delete table inet between,"
kill $telling
kill $listening

# A table that has lost its chains is no obstacle.
nft add table inet onlink_onl; cni ADD p1; ok "ADD p1"; cni DEL p1; ok "DEL p1"
same "no table is left" "$(nft list tables)" ""
done_testing
