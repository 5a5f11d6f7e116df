#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pod's second network had its IPv4 default route beside that of the first, with the same metric. With permanent neighbours
# behind both, the kernel used them in turn (fib_select_default): every second connection left by the wrong interface, and
# its host end dropped it.
. "$(dirname "$0")/lib.bash"
network() { # NAME: its configuration
  case $1 in
    first) conf "$dual" '.name = "first"' ;;
    second) conf '.name = "second" | .ipam.ranges = [[{"subnet":"10.20.0.0/24"}],[{"subnet":"fd00:20::/64"}]] | del(.ipam.subnet)' ;;
  esac
}
uses() { # WHAT IFNAME [GATEWAY]: all that the pod sends beyond its networks leaves by this interface
  local used
  used=$(for _ in 1 2 3 4 5 6; do ip -n p1 -j route get 198.51.100.1 | jq -r '.[0].dev'; ip -n p1 -6 -j route get 2001:db8::1 | jq -r '.[0].dev'; done | sort -u)
  same "$1" "$used" "$2"
}
checked() { network "$1"; with_prev "$2"; cni CHECK p1 "$3"; ok "CHECK of the $1 network"; }

pod p1
network first; cni ADD p1 eth0; ok "ADD of the first network"; first=$out
network second; cni ADD p1 net1; ok "ADD of the second network"; second=$out
uses "with both" eth0
living "the first network" /run/netns/p1 10.10.0.2; living "the first network, again" /run/netns/p1 10.10.0.2
checked first "$first" eth0; checked second "$second" net1
network first; cni DEL p1 eth0; ok "DEL of the first network"
uses "with the second only" net1; checked second "$second" net1
network first; cni ADD p1 eth0; ok "ADD of the first network again"; first=$out
uses "with the first again" eth0; checked first "$first" eth0; checked second "$second" net1

# Ahead of it, another plugin's network, whose gateway is a neighbour that the kernel has not heard of for a while.
network second; cni DEL p1 net1; ok "DEL of the second network"; network first; cni DEL p1 eth0; ok "DEL of the first network"
ip -n p1 link add eth0 type veth peer name other; ip -n p1 link set eth0 up; ip -n p1 link set other up
ip -n p1 addr add 192.168.5.2/24 dev eth0; ip -n p1 route add default via 192.168.5.1
ip -n p1 -6 route add default via fe80::5 dev eth0
ip -n p1 neigh add 192.168.5.1 lladdr 0a:00:00:00:00:05 dev eth0 nud stale
network second; cni ADD p1 net1; ok "ADD behind another plugin's network"; second=$out
uses "behind another plugin's network" eth0; checked second "$second" net1

# Behind the last metric there is none: the next one would be 0, ahead of all.
pod p2; network first; conf="$(jq -c '.ipam.routes = [{"dst":"0.0.0.0/0","priority":4294967295}]' <<<"$conf")"; cni ADD p2 eth0; ok "ADD with the last metric"
network second; conf="$(jq -c '.ipam.routes = [{"dst":"0.0.0.0/0","priority":4294967295}]' <<<"$conf")"; cni ADD p2 net1
refused 100 "a route to this destination exists already"
done_testing
