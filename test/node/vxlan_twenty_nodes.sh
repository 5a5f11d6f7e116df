#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel with --all
# Twenty nodes, each with a pod of both families, through VXLAN: every pod talks to every other (ping and 1 MB of TCP, both
# ways); one node dies and comes back as another machine.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan
count=20

wire lan
nodes=() four=() six=()
for ((i = 1; i <= count; i++)); do
  host "n$i"
  plug "n$i" eth0 lan "172.16.91.$i/24"
  nodes+=("{\"name\":\"n$i\",\"nodeIP\":\"172.16.91.$i\",\"podCIDRs\":[\"10.10.$i.0/24\",\"fd00:10:$i::/64\"]}")
done
seed_cluster "del(.ipipMode) | .vxlanMode = \"Always\" | .filter = true | .masquerade = true | .nodes = [$(IFS=,; echo "${nodes[*]}")]"
for ((i = 1; i <= count; i++)); do
  applied "n$i"
  dual_pod "n$i" "p$i" "$i"
  four+=("p$i=${v4[p$i]}") six+=("p$i=${v6[p$i]}")
done
same "entries of a node" "$(on n7 bridge -j fdb show dev vxlan.onlink | jq length) $(ip -j -n n7 neigh show dev vxlan.onlink nud permanent | jq length)" \
  "$((count - 1)) $(((count - 1) * 2))"
for family in four six; do
  declare -n ends=$family
  "$python" "$talk" pairs "${ends[@]}" >"$work/talk" || fail "not all pods talk (IPv$family)"
  same "pairs, IPv$family" "$(cat "$work/talk")" "$((count * (count - 1))) pairs"
done

# A node that dies, and its successor with the same subnets at another address: nobody keeps the old one's entry.
ip -n n9 link set eth0 down
cut_off p1 "${v4[p9]}"
reaches p1 "${v4[p8]}"
ip -n n9 addr flush dev eth0
ip -n n9 addr add 172.16.91.99/24 dev eth0
ip -n n9 link set eth0 up
jq '(.nodes[] | select(.name == "n9") | .nodeIP) = "172.16.91.99"' "$cluster" >"$work/new" && mv "$work/new" "$cluster"
for ((i = 1; i <= count; i++)); do applied "n$i"; done
for ((i = 1; i <= count; i++)); do
  [ "$i" = 9 ] || { reaches "p$i" "${v4[p9]}"; reaches p9 "${v6[p$i]}"; }
done
same "the old address" "$(on n3 bridge fdb show dev vxlan.onlink | grep -c 'dst 172.16.91.9 ' || true)" 0
for ((i = 1; i <= count; i++)); do node "n$i" clean; ok "clean on n$i: $errors"; done
same "what is left" "$(for ((i = 1; i <= count; i++)); do ip -o -n "n$i" link show type vxlan; ip -n "n$i" route show proto 169 | grep -v 'scope link'; done | wc -l)" 0
done_testing
