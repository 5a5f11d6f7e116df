#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A hostile pod speaks the IPv6 that a host listens to: router advertisements, redirects, neighbour advertisements for
# others, answers to duplicate address detection (CVE-2020-10749). Whatever the families of its network, the host gets no
# route, no address and no neighbour by it, and the pod no way that was not given.
. "$(dirname "$0")/lib.bash"
mkdir -p $work
cat >$work/hostile.py <<'P'
import socket, struct, sys, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
for option in (16, 18): s.setsockopt(socket.IPPROTO_IPV6, option, 255)  # hop limits
index = socket.if_nametoindex("eth0")
address = lambda text: socket.inet_pton(socket.AF_INET6, text)
mac = bytes.fromhex("0a0000000099")
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + address("2001:db8:bad::")
route = struct.pack("!BBBBI", 24, 2, 0, 0x08, 1800)
advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
neighbour = lambda target: struct.pack("!BBHI", 136, 0, 0, 0xa0000000) + address(target) + struct.pack("!BB", 2, 1) + mac
solicitation = struct.pack("!BBHI", 135, 0, 0, 0) + address("fe80::ecee:eeff:feee:eeee") + struct.pack("!BB", 1, 1) + mac
redirect = struct.pack("!BBHI", 137, 0, 0, 0) + address("fe80::bad") + address("2001:db8::53")
for packet in (advertisement + prefix + route + struct.pack("!BB", 1, 1) + mac, redirect, solicitation,
               neighbour("fe80::ecee:eeff:feee:eeee"), neighbour("fd00:10::3"), neighbour("2001:db8:1::1")):
  for to in ("ff02::1", "fe80::ecee:eeff:feee:eeee"):
    try: s.sendto(packet, (to, 0, 0, index))
    except OSError: pass  # the pod may have no way to that address
P
# What the host has of IPv6 on its ends, and of routes and neighbours anywhere.
state() {
  ip -j -6 addr | jq -c '[.[] | {ifname, addr_info: [.addr_info[] | select(.dynamic or (.local | startswith("2001:db8:bad")))]}] | map(select(.addr_info != []))'
  ip -j -6 route show table all | jq -cS '[.[] | {dst, gateway, dev, protocol, type}] | sort_by(tostring)'
  # A pod's own link-local address is its own affair, on its own link.
  ip -j -6 neigh show | jq -cS '[.[] | select(.dst | startswith("fe80::") | not) | {dst, dev, lladdr, state}] | sort_by(tostring)'
}
attack() { # WHAT
  local before host _
  host=$(jq -r '.interfaces[0].name' <<<"$result")
  sleep 1  # the pod's own link-local address is finished, and it can send from it
  before=$(state)
  for _ in 1 2 3; do ip netns exec p1 setpriv --inh-caps -all --bounding-set -all,+net_raw $python $work/hostile.py; sleep 0.3; done
  same "$1: what the host has of IPv6" "$(state)" "$before"
  with_prev "$result"; cni CHECK p1; ok "$1: CHECK"
  sysctl -qw "net.ipv6.conf.$host.accept_ra=1" "net.ipv6.conf.$host.disable_ipv6=0"
  cni CHECK p1; refused 101 "accept_ra is 1, not 0"
}
sysctl -qw net.ipv6.conf.default.accept_ra=1 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.all.forwarding=0

conf; pod p1; cni ADD p1; ok ADD; result=$out; host=$(jq -r '.interfaces[0].name' <<<"$out")
same "no IPv6 address on the host's end of a network without IPv6" "$(ip -o -6 addr show dev "$host")" ""
attack "a network without IPv6"

# Turned on for all interfaces by somebody, it is still closed: no address of its own, no advertisements.
empty_host; pod p1; cni ADD p1; ok ADD; result=$out; host=$(jq -r '.interfaces[0].name' <<<"$out")
sysctl -qw net.ipv6.conf.all.disable_ipv6=1; sysctl -qw net.ipv6.conf.all.disable_ipv6=0
attack "IPv6 turned on for all interfaces"

# The first IPv6 attachment turns on forwarding, and keeps the routes that uplinks were advertised: a pod is no uplink.
empty_host; pod p1; cni ADD p1; ok ADD; host=$(jq -r '.interfaces[0].name' <<<"$out")
sysctl -qw "net.ipv6.conf.$host.disable_ipv6=0" "net.ipv6.conf.$host.accept_ra=1"  # as an earlier version had left it
ip -6 route add default via fe80::1 dev "$host" proto ra expires 600
conf "$ipv6" '.name = "net2"'; pod p2; cni ADD p2; ok "ADD of the first with IPv6"
same "accept_ra of a pod's interface" "$(cat /proc/sys/net/ipv6/conf/"$host"/accept_ra)" 1

for families in "$ipv6" "$dual"; do
  empty_host; conf "$families"; pod p1; cni ADD p1; ok ADD; result=$out
  attack "$families"
done

# What cannot be closed is not opened.
empty_host; nft flush ruleset; pod p1
mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys
sysctl_is_on() { [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]; }
sysctl_is_on || fail "the test wants forwarding on"
cni ADD p1; refused 100 "accept_ra"
cni STATUS -; refused 50 "accept_ra"
umount /proc/sys
same "nothing is left" "$(files; ip -o link show type veth; nft list tables)" ""
done_testing
