#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every released version has left on a disk is read by this one, and what this one leaves has the form that the last of them
# reads: formats/VERSION/ has reservations, records, index and the files of onlink-node as that version wrote them. A version that
# writes in another form gets a folder here, and the one before it a way to read it.
# shellcheck source=../node/lib.bash
source "$(dirname "$0")/../node/lib.bash"
formats=$root/test/package/formats
seed_hosts
conf '.ipam.cooldown = 0'
for version in "$formats"/*/; do
  name=$(basename "$version")
  rm -rf /var/lib/cni /run/onlink
  mkdir -p /var/lib/cni/networks /run/onlink/ipam
  cp -r "$version/net1" /var/lib/cni/networks/net1
  # The index of another folder of that name would not even be opened.
  records=/run/onlink/ipam/net1.$(stat -c '%d.%i' /var/lib/cni/networks/net1)
  cp -r "$version/records" "$records"
  ln -s /var/lib/cni/networks/net1 "$records/folder"
  same "$name: what is reserved" "$("$bin/onlink-ipam" list net1 --json | jq -c '[.. | objects | select(.address?) | [.address, .container // .containerID]] | sort')" \
    '[["10.10.0.2","p1"],["10.10.0.5","p3"]]'
  pod "new-$name"
  cni ADD "new-$name"; ok "$name: ADD"
  same "$name: the next address" "$(address)" 10.10.0.6
  same "$name: whose the others are" "$(owner 10.10.0.2) $(owner 10.10.0.5)" "p1 p3"
  netns='' cni DEL p1; ok "$name: DEL of an old one"
  same "$name: given back" "$(owner 10.10.0.2)" ""
  cni DEL "new-$name"; ok "$name: DEL"
  ip netns del "new-$name"

  # onlink-node: the last good list of nodes, and what the host was like before.
  mkdir -p "$work/A"
  rm -rf "$work/A/run" "$work/A/state"
  mkdir "$work/A/run" "$work/A/state"
  cp "$version"/node/{node.json,paths,mtu,reserved} "$work/A/run/"
  cp "$version/node/cluster.json" "$work/A/state/"
  jq '{ipipMode, masquerade, filter, resyncSeconds, source: {type: "routes", holdSeconds: 3600}, nodes: [.nodes[0]]}' "$version/node/cluster.json" >"$cluster"
  node A apply
  case $out in *"ip route replace 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"* | *"ip route add 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"*) checks=$((checks + 1)) ;;
    *) fail "$name: the last good list of nodes: $out $errors" ;; esac
  same "$name: since when the path is as it is" "$(grep -c ' 1795740463 ' "$work/A/run/paths")" 1
  node A clean; ok "$name: clean: $errors"
  same "$name: the setting of before is back" "$(on A cat /proc/sys/net/ipv4/ip_forward)" 0
done

# What this version writes. $version is the last one.
rm -rf /var/lib/cni /run/onlink
pod p1
cni ADD p1; ok "ADD"
records=$(echo /run/onlink/ipam/net1.*)
same "a reservation" "$(od -c /var/lib/cni/networks/net1/10.10.0.2)" "$(od -c "$version/net1/10.10.0.2")"
same "last_reserved_ip" "$(cat /var/lib/cni/networks/net1/last_reserved_ip.0)" 10.10.0.2
form() { sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/BOOT/; s/onl[0-9a-f]{11}/END/; s/[0-9]+/N/g' "$1"; }
same "a record" "$(form "$records/10.10.0.2")" "$(form "$version/records/10.10.0.2")"
same "the index's first bytes" "$(head -c 8 "$records/index" | od -c)" "$(head -c 8 "$version/records/index" | od -c)"
seed_cluster
applied A
for file in run/node.json state/cluster.json; do
  same "keys of $file" "$(jq -c '[paths(type != "object") | map(select(type == "string")) | join(".")] | unique' "$work/A/$file")" \
    "$(jq -c '[paths(type != "object") | map(select(type == "string")) | join(".")] | unique' "$version/node/$(basename $file)")"
done
done_testing
