#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Hosts of another shape: what on-link means, what is in the way, a full /run, two services, other people's files.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_cluster
peer() { node A status --json; jq -r '.peers[0] | .path + " " + .state + ": " + .why' <<<"$out"; }
told() { # WHAT PATTERN
  local line; line=$(peer)
  # shellcheck disable=SC2254
  case $line in $2) checks=$((checks + 1)) ;; *) fail "$1: $line" ;; esac
}
applied A
told "in order" "direct ok: *"

# What keeps packets away though the route is right.
ip link set plug2 down # B's cable
on A ping -q -c1 -W4 172.16.91.202 >/dev/null 2>&1 || true
told "a dead neighbour" "direct blocked: 172.16.91.202 does not answer on eth0"
ip link set plug2 up
ip -n A neigh flush dev eth0
ip link set plug1 down # A's
told "no carrier" "direct blocked: eth0 has no carrier"
on A sysctl -qw net.ipv4.conf.eth0.ignore_routes_with_linkdown=1
told "no carrier, and no use of its routes" "direct blocked: eth0 has no carrier"
on A sysctl -qw net.ipv4.conf.eth0.ignore_routes_with_linkdown=0
ip link set plug1 up
eventually 5 eval '[ "$(ip -n A -j link show eth0 | jq -r ".[0].operstate")" = UP ]'
on A sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding'
told "no forwarding" "direct blocked: net.ipv4.conf.eth0.forwarding is 0: *"
on A sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding'

# A policy rule that leads everything elsewhere (a VPN's exit): the working route stays, and it is told.
ip -n A link add vpn0 type veth peer name far
ip -n A link set vpn0 arp off up; ip -n A link set far up
ip -n A route add default dev vpn0 table 52
ip -n A rule add pref 5270 lookup 52
node A apply
same "the route" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
told "a rule in front" "direct blocked: *default dev vpn0 table 52*"
# The same without a route of ours that tells where the node is; a rule behind table main, or one to a table that leads the same
# way, is in front of nothing.
ip -n A route flush proto 169
node A apply
same "the route, made anew" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
ip -n A rule del pref 5270
ip -n A rule add pref 40000 lookup 52
told "a rule behind" "direct ok: *"
ip -n A rule del pref 40000
ip -n A route add 172.16.91.0/24 dev eth0 table 88
ip -n A rule add pref 100 to 172.16.91.0/24 lookup 88
told "a rule that leads the same way" "direct ok: *"
ip -n A rule del pref 100
ip -n A route add 10.10.1.128/25 via 172.16.91.202 proto static
told "a more specific route that leads the same way" "direct ok: *"
ip -n A route del 10.10.1.128/25
# What refuses packets to the node itself is told, and the pods' route, which works, stays.
ip -n A rule add pref 100 to 172.16.91.202 prohibit
node A apply
same "the route to the pods" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
told "a node that is refused" "direct blocked: there is no route to 172.16.91.202, or one that refuses"
ip -n A rule del pref 100
# A default route without a gateway, a point-to-point link: not on-link.
seed_cluster '.nodes[1].nodeIP = "203.0.113.7"'
ip -n A route add default dev vpn0
node A apply
same "no direct route" "$(route_line A 10.10.1.0/24)" ""
told "a peer behind a VPN" "none no path: 203.0.113.7 is not on-link (default dev vpn0 scope link)*"
ip -n A route replace default dev eth0
told "nor by a default route on Ethernet" "none no path: 203.0.113.7 is not on-link (default dev eth0 scope link)*"
ip -n A route del default
ip -n A link del vpn0
# Nor is one whose packets get other headers on the way out.
seed_cluster
if ip -n A route add 172.16.91.202 encap ip id 5 dst 192.0.2.1 dev eth0; then
  node A apply
  told "a peer behind an encapsulation" "none no path: 172.16.91.202 is not on-link (172.16.91.202/32 encap * dev eth0 scope link)*"
  ip -n A route del 172.16.91.202
fi

# The uplink as a port of a bridge: what arrives there is the bridge's, and the peer is not to blame. With its address on the
# bridge all is well.
seed_cluster; applied A
ip -n A link add br0 type bridge && ip -n A link set br0 up && ip -n A link set eth0 master br0
cut_off A 172.16.91.202
told "an uplink that is a port" "direct blocked: eth0 is a port of br0, which takes what arrives there: *"
node A status
same "exit status" "$status" 1
ip -n A addr flush dev eth0 && ip -n A addr add 172.16.91.201/24 dev br0
applied A
told "its address on the bridge" "direct ok: 172.16.91.202 is on-link, dev br0"
reaches A 172.16.91.202
ip -n A link del br0 && ip -n A addr add 172.16.91.201/24 dev eth0
applied A

# An address whose network no route says to be on the link: nothing is planned that the kernel refuses. Then as NetworkManager
# and dhcpcd do it, with a route of their own; also while a rule leads everything elsewhere.
ip -n A addr flush dev eth0 && ip -n A addr add 172.16.91.201/24 dev eth0 noprefixroute
node A apply
same "nothing tried that fails" "$errors" "onlink-node: B (10.10.1.0/24): there is no route to 172.16.91.202, and ipipMode is Never"
told "a network without its route" "none no path: there is no route to 172.16.91.202, *"
ip -n A route add 172.16.91.0/24 dev eth0 proto dhcp scope link src 172.16.91.201 metric 100
applied A
told "a route of somebody's" "direct ok: *"
ip -n A route add prohibit default table 52 && ip -n A rule add pref 5270 lookup 52
node A apply
same "the route, kept" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
ip -n A rule del pref 5270 && ip -n A route flush table 52
ip -n A addr flush dev eth0 && ip -n A addr add 172.16.91.201/24 dev eth0

# Over the default gateway, on an interface that leads to no node; whether routes are there already or not.
plug A eth9 lan 192.168.5.2/24
ip -n A route add default via 192.168.5.1
seed_cluster; applied A
for cidr in 192.168.5.0/28 192.168.4.0/23; do
  seed_cluster ".nodes[1].podCIDRs = [\"$cidr\"]"
  node A apply
  same "no route over the gateway" "$(ip -n A route show "$cidr" proto 169)" ""
  told "over the gateway" "none no path: $cidr has 192.168.5.1 in it, the way to other nodes: not routed to pods"
done
ip -n A link del eth9
seed_cluster; applied A

# Pod subnets over the nodes' own network.
for cidr in 172.16.91.96/27 172.16.0.0/16; do
  seed_cluster ".nodes[1] += {\"nodeIP\":\"172.17.0.2\",\"podCIDRs\":[\"$cidr\"]}"
  node A apply
  same "no route over the LAN" "$(route_line A $cidr)" ""
done
seed_cluster '.nodes[1].podCIDRs = ["172.16.91.96/27"]'
node A apply
told "a pod subnet over the LAN" "none no path: 172.16.91.96/27 covers a part of 172.16.91.0/24, the network of eth0: not routed to pods"
seed_cluster
applied A

# ip_forward set back: at once, not at the next resync.
start_node A
eventually 2 test -s "$work/A/run/service.json"
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
eventually 2 eval '[ "$(on A cat /proc/sys/net/ipv4/ip_forward)" = 1 ]'
# A second one, with folders of its own, is refused: the node is the network namespace.
status=0
second=$(on A "$bin/onlink-node" -c "$cluster" -n A --run-dir "$work/A/elsewhere" --state-dir "$work/A/elsewhere" apply 2>&1) || status=$?
same "a second one" "$status ${second%%:*}" "1 onlink-node"
case $second in *"another onlink-node is at work on this node"*"process ${service[A]} (onlink-node)"*) ;; *) fail "a second one: $second" ;; esac
# A full /run keeps nothing from being mended.
stop_node A
mount -t tmpfs -o size=64k tmpfs "$work/A/run"
start_node A
eventually 2 test -s "$work/A/run/service.json"
dd if=/dev/zero of="$work/A/run/junk" bs=4k 2>/dev/null || true
ip -n A route del 10.10.1.0/24
eventually 2 eval '[ -n "$(route_line A 10.10.1.0/24)" ]'
seed_cluster '.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
eventually 2 eval '[ -n "$(route_line A 10.10.2.0/24)" ]'
eventually 2 grep -q 'No space left' "$work/A/log"
stop_node A
umount "$work/A/run"

# The pods' MTU is what fits the ways to the other nodes, not the device with the address.
plug A eth8 lan 172.16.91.211/24 1400
ip -n A route add 172.16.91.202/32 dev eth8 src 172.16.91.201
applied A
same "the MTU of another uplink" "$(cat "$work/A/run/mtu")" 1400
ip -n A link del eth8
applied A
same "and back" "$(cat "$work/A/run/mtu")" 1500

# Files of others in the folder are not ours to delete; our drafts of killed processes are.
mkdir -p "$work/A/run"
touch "$work/A/run/letter.tmp.1" "$work/A/run/mtu.tmp.x" "$work/A/run/mtu.tmp.77"
node A apply
same "other people's files" "$(cd "$work/A/run" && ls -- *.tmp.*)" "$(printf '%s\n' letter.tmp.1 mtu.tmp.x)"

# /run is lost: clean takes away what is there all the same, and leaves what others may need.
seed_cluster '.masquerade = true | .filter = true'
applied A
rm -rf "$work/A/run"
node A clean; ok "clean"
same "no table" "$(on A nft list tables)" ""
same "no routes" "$(ip -n A route show proto 169)" ""
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
applied A
plug A eth1 lan 172.18.0.1/24
node A clean; ok "clean"
same "forwarding stays where there is another network" "$(on A cat /proc/sys/net/ipv4/ip_forward)" 1
done_testing
