#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several networks in one pod, in multus' order of calls: the default network as eth0, then the others as net1, net2;
# CHECK of each; DEL backwards. onlink beside bridge, and onlink beside onlink; DEL of one leaves the other.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/libcni.bash"
need $reference/bridge containernetworking-plugins

onlink_list() { # NAME SUBNET [JQ-PROGRAM]
  conflist 1.0.0 ".name = \"$1\" | del(.plugins[1]) | .plugins[0].ipam.subnet = \"$2\" | ${3:-.}"
}
bridge_list() {
  conflist 1.0.0 '.name = "default" | .plugins = [{type: "bridge", bridge: "br0", isDefaultGateway: true,
    ipam: {type: "host-local", ranges: [[{subnet: "10.5.0.0/24"}]], dataDir: "/var/lib/cni/networks"}}]'
}
second_list() { onlink_list second 10.20.0.0/24 '.plugins[0] += {isDefaultGateway: false} | .plugins[0].ipam.routes = [{dst: "10.20.0.0/24"}]'; }
address() { jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out"; }
routes() { ip -n "$1" route | sed 's/ *$//'; }
pings() { # WHAT POD ARGUMENTS...
  local what=$1 from=$2; shift 2
  checks=$((checks + 1)); ip netns exec "$from" ping -q -c 1 -W 10 "$@" >/dev/null || fail "$what"
}

# onlink as second network beside bridge.
for name in p1 p2; do
  pod $name
  bridge_list; drive ADD $name; ok "ADD bridge $name"; bridged[${name#p}]=$(address)
  second_list; drive ADD $name net1; ok "ADD onlink $name"; second[${name#p}]=$(address)
done
for name in p1 p2; do
  bridge_list; drive CHECK $name; ok "CHECK bridge $name"
  second_list; drive CHECK $name net1; ok "CHECK onlink $name"
done
same "routes of both" "$(routes p1)" "default via 10.5.0.1 dev eth0
10.5.0.0/24 dev eth0 proto kernel scope link src ${bridged[1]}
10.20.0.0/24 via 169.254.1.1 dev net1 onlink
169.254.1.1 dev net1 scope link"
pings "by bridge" p1 "${bridged[2]}"
pings "by onlink" p1 "${second[2]}"
pings "to the host by the default network" p1 192.0.2.1
same "way to the other's second address" "$(ip -n p1 -j route get "${second[2]}" | jq -r '.[0].dev')" net1

# DEL of the second network leaves the first, and the other way round.
second_list; drive DEL p1 net1; ok "DEL onlink p1"
bridge_list; drive CHECK p1; ok "CHECK bridge after DEL of onlink"; pings "bridge after DEL of onlink" p1 "${bridged[2]}"
bridge_list; drive DEL p2; ok "DEL bridge p2"
second_list; drive CHECK p2 net1; ok "CHECK onlink after DEL of bridge"
second_list; drive DEL p2 net1; ok "DEL onlink p2"
bridge_list; drive DEL p1; ok "DEL bridge p1"
ip link del br0; ip netns del p1; ip netns del p2
nothing_left "bridge and onlink"

# A second network that has a default route as well does not take it away from the first: its own stands behind.
pod p1; bridge_list; drive ADD p1; ok "ADD bridge p1"
onlink_list second 10.20.0.0/24 '.plugins[0].isDefaultGateway = true'
drive ADD p1 net1; ok "ADD of a second default route"
same "default route in use" "$(ip -n p1 -j route show default | jq -r '.[0].dev')" eth0
drive CHECK p1 net1; ok "CHECK of a second default route"
bridge_list; drive CHECK p1; ok "CHECK bridge beside a second default route"
onlink_list second 10.20.0.0/24 '.plugins[0].isDefaultGateway = true'; drive DEL p1 net1; ok "DEL of a second default route"
bridge_list; drive DEL p1; ok "DEL bridge p1"
ip link del br0; ip netns del p1; nothing_left "second default route"

# Three onlink networks in each of two pods: eth0 has the default route.
networks=(eth0:one:10.31.0.0/24 net1:two:10.32.0.0/24 net2:three:10.33.0.0/24)
choose() { # IFNAME:NETWORK:SUBNET: its conflist; sets $ifname
  IFS=: read -r ifname network subnet <<<"$1"
  if [ "$ifname" = eth0 ]; then onlink_list "$network" "$subnet"
  else onlink_list "$network" "$subnet" ".plugins[0].isDefaultGateway = false | .plugins[0].ipam.routes = [{dst: \"$subnet\"}]"; fi
}
declare -A addresses
for name in p1 p2; do
  pod $name
  for entry in "${networks[@]}"; do choose "$entry"; drive ADD $name "$ifname"; ok "ADD $name $ifname"; addresses[$name$ifname]=$(address); done
done
check_rest() { # WHAT ENTRY...: these networks of both pods are as attached and carry packets
  local what=$1 entry name; shift
  for entry; do
    choose "$entry"
    for name in p1 p2; do drive CHECK $name "$ifname"; ok "$what: CHECK $name $ifname"; done
    pings "$what: $ifname" p1 -I "${addresses[p1$ifname]}" "${addresses[p2$ifname]}"
    same "$what: way by $ifname" "$(ip -n p1 -j route get "${addresses[p2$ifname]}" | jq -r '.[0].dev')" "$ifname"
  done
}
check_rest "three networks" "${networks[@]}"
choose "${networks[1]}"; for name in p1 p2; do drive DEL $name net1; ok "DEL $name net1"; done
check_rest "without the second" "${networks[0]}" "${networks[2]}"
choose "${networks[0]}"; for name in p1 p2; do drive DEL $name eth0; ok "DEL $name eth0"; done
check_rest "without the first" "${networks[2]}"
choose "${networks[2]}"; for name in p1 p2; do drive DEL $name net2; ok "DEL $name net2"; done
same "interfaces in the pod" "$(ip -n p1 -j link | jq -r '[.[].ifname] | join(" ")')" lo
nothing_left "three networks"
done_testing
