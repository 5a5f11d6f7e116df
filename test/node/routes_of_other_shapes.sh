#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Every route that the kernel can hold is ours to mend or named: several ways, nexthop objects, types, duplicates.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
ours="10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
has_ours() { [ "$(route_line A 10.10.1.0/24)" = "$ours" ]; }

# A foreign route with several ways, and those that refuse: the holder is named, everything else goes on.
seed_cluster '.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
for holder in "10.10.1.0/24 proto bgp nexthop via 172.16.91.202 nexthop via 172.16.91.203" "blackhole 10.10.1.0/24 proto bgp" \
  "unreachable 10.10.1.0/24 proto static" "prohibit 10.10.1.0/24 proto bird" "10.10.1.0/24 via inet6 fe80::1 dev eth0 proto bgp"; do
  # shellcheck disable=SC2086
  ip -n A route add $holder
  before=$(ip -n A route show 10.10.1.0/24)
  for verb in plan apply; do
    node A "$verb"
    case $errors in *"route 10.10.1.0/24 is held by"*"proto "*": left alone"*) checks=$((checks + 1)) ;; *) fail "$verb beside $holder: $errors" ;; esac
  done
  same "the foreign route" "$(ip -n A route show 10.10.1.0/24)" "$before"
  same "the other peer's route" "$(route_line A 10.10.2.0/24)" "10.10.2.0/24 via 172.16.91.203 dev eth0 proto 169"
  node A status --json
  holds "status names it" '.peers[0].state | startswith("held by proto")' "$out"
  ip -n A route flush root 10.10.1.0/24
done

# The same hidden by a policy rule, or by a host route: it is no less there.
ip -n A route add 10.10.1.0/24 via 172.16.91.77 proto static
ip -n A route add 10.10.1.0/32 via 172.16.91.78 proto static
node A apply
same "behind a host route" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.77 dev eth0 proto static"
ip -n A route del 10.10.1.0/32
ip -n A route add 10.10.1.0/24 via 172.16.91.79 table 77
ip -n A rule add pref 100 lookup 77
node A apply
same "behind a rule" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.77 dev eth0 proto static"
ip -n A route flush root 10.10.1.0/24

# A route of ours that is right, and a rule or a more specific route in front: the peer is not ok.
node A apply
case $errors in *"B (10.10.1.0/24): packets to 10.10.1.1 take 10.10.1.0/24 via 172.16.91.79 dev eth0 table 77"*) ;; *) fail "a rule in front: $errors" ;; esac
ip -n A rule del pref 100
ip -n A route add 10.10.1.128/25 via 172.16.91.78 proto bird
node A status --json
holds "a more specific route" '.peers[0] | .state == "blocked" and (.why | startswith("packets to 10.10.1.128/25 take"))' "$out"
ip -n A route del 10.10.1.128/25
ip -n A route flush table 77
applied A

# Of our protocol and another shape: mended at once, whatever it is.
start_node A
eventually 2 test -s "$work/A/run/service.json"
ip -n A nexthop add id 7 via 172.16.91.77 dev eth0
ip -n A nexthop add id 8 blackhole
for shape in "unreachable 10.10.1.0/24" "throw 10.10.1.0/24" "prohibit 10.10.1.0/24" "10.10.1.0/24 dev eth0" "10.10.1.0/24 nhid 7" "10.10.1.0/24 nhid 8" \
  "10.10.1.0/24 OURS nexthop via 172.16.91.77 nexthop via 172.16.91.202" "10.10.1.0/24 via 172.16.91.202 dev eth0 mtu 900" \
  "10.10.1.0/24 via 172.16.91.202 dev eth0 hoplimit 1" "10.10.1.0/24 via 172.16.91.202 dev eth0 mtu lock 900 initcwnd 3"; do
  case $shape in *OURS*) shape=${shape/OURS/proto 169} ;; *) shape+=" proto 169" ;; esac
  # shellcheck disable=SC2086
  ip -n A route replace $shape
  eventually 2 has_ours
done
# Appended to ours: what is too many goes, and it is that which goes, also where the kernel cannot tell it from ours.
ip -n A route prepend 10.10.1.0/24 via 172.16.91.78 proto 169
eventually 2 has_ours
for shape in "via 172.16.91.77" "dev eth0" "via inet6 fe80::1 dev eth0" "via 172.16.91.202 dev eth0 mtu 900" "nhid 7" "nhid 8" \
  "via 172.16.91.202 dev eth0 src 172.16.91.201" "via 172.16.91.202 dev eth0 onlink" "OURS nexthop via 172.16.91.77 nexthop via 172.16.91.78"; do
  case $shape in *OURS*) shape=${shape/OURS/proto 169} ;; *) shape+=" proto 169" ;; esac
  # shellcheck disable=SC2086
  ip -n A route append 10.10.1.0/24 $shape
  eventually 2 has_ours
done
# Several, with a foreign one among them, which stays; and by the commands of plan.
stop_node A
ip -n A route append 10.10.1.0/24 via 172.16.91.79 proto bird
ip -n A route append 10.10.1.0/24 dev eth0 proto 169
ip -n A route append 10.10.1.0/24 via 172.16.91.77 proto 169
applied A
same "beside a foreign one" "$(route_line A 10.10.1.0/24)" "$ours"$'\n'"10.10.1.0/24 via 172.16.91.79 dev eth0 proto bird"
ip -n A route del 10.10.1.0/24 proto bird
ip -n A route append 10.10.1.0/24 via 172.16.91.202 dev eth0 onlink proto 169
ip -n A route append 10.10.1.0/24 dev eth0 proto 169
node A plan
on A sh -e <<<"$out" || fail "the commands of plan do not run: $out"
same "by the commands of plan" "$(route_line A 10.10.1.0/24)" "$ours"
start_node A
# A peer's subnet of one address has the shape of a pod's route: told apart by the interface.
seed_cluster '.nodes[1].podCIDRs = ["10.10.1.7/32"]'
single() { [ "$(route_line A 10.10.1.7)" = "10.10.1.7 via 172.16.91.202 dev eth0 proto 169" ]; }
eventually 2 single
ip -n A route replace 10.10.1.7 dev eth0 proto 169
eventually 2 single
stop_node A

# A route with the shape of a pod's on an interface that is none of theirs goes; those of pods do not, whatever their interface's
# alias says, and in whichever network.
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
pod_at A netns01 10.10.0.2
pod_at A netns02 10.10.0.3
pods=$(ip -n A route show proto 169 scope link)
same "two pods' routes" "$(wc -l <<<"$pods")" 2
ip -n A link set "$(ip -n A -j route show 10.10.0.3 | jq -r '.[0].dev')" alias "of somebody"
strays() {
  ip -n A route add 10.99.0.1/32 dev eth0 proto 169
  ip -n A route add 10.99.0.2/32 dev lo proto 169 scope link
  ip -n A -6 route add fd00:99::1/128 dev eth0 proto 169
}
left() { ip -n A route show proto 169 scope link; ip -n A -6 route show proto 169; }
strays
applied A
same "what apply leaves" "$(left)" "$pods"
strays
start_node A
eventually 2 eval '[ "$(left)" = "$pods" ]'
# It hides a peer, so it is noticed.
ip -n A route add 172.16.91.202/32 dev lo proto 169
eventually 2 eval '[ -z "$(ip -n A route show 172.16.91.202)" ]'
stop_node A
strays
node A clean; ok "clean"
same "what clean leaves" "$(left)" "$pods"
ip netns del netns01
ip netns del netns02

# IPv6: the kernel makes one route of several of the same metric.
seed_cluster '.nodes[0] += {"nodeIPv6":"fd00:172::201","podCIDRs":["10.10.0.0/24","fd00:10::/64"]} |
  .nodes[1] += {"nodeIPv6":"fd00:172::202","podCIDRs":["10.10.1.0/24","fd00:11::/64"]}'
start_node A
six() { [ "$(ip -n A -6 -j route show fd00:11::/64 | jq -c 'map([.gateway, .nexthops, .protocol])')" = '[["fd00:172::202",null,"169"]]' ]; }
eventually 2 six
ip -n A -6 route append fd00:11::/64 via fd00:172::77 dev eth0 proto 169
eventually 2 six
# One without a gateway is a route of its own, and the kernel does not tell it from ours.
ip -n A -6 route append fd00:11::/64 dev eth0 proto 169
eventually 2 six
ip -n A -6 route append blackhole fd00:11::/64 proto 169
eventually 2 six
ip -n A -6 route replace unreachable fd00:11::/64 proto 169
eventually 2 six
# One for packets from one network only is not ours.
stop_node A
ip -n A -6 route del fd00:11::/64
if ip -n A -6 route add fd00:11::/64 from fd00:8::/64 via fd00:172::202 dev eth0 proto 169; then
  node A plan
  same "what plan does with it" "$(grep ' from ' <<<"$out")" "ip -6 route del fd00:11::/64 from fd00:8::/64 via fd00:172::202 dev eth0 proto 169 metric 1024"
  applied A
  same "beside one of a source" "$(ip -n A -6 route show fd00:11::/64 | sed 's/ *$//')" "fd00:11::/64 via fd00:172::202 dev eth0 proto 169 metric 1024 pref medium"
fi

# What plan prints for routes of each shape can be typed.
routes_left() { ip -n A -4 route show table all proto 169; ip -n A -6 route show table all proto 169; }
seed_cluster
node A clean
ip -n A nexthop add id 9 group 7
number=0
while read -r shape; do
  number=$((number + 1))
  # shellcheck disable=SC2086
  ip -n A route add ${shape/SUBNET/10.99.$number.0/24} || fail "cannot add $shape"
done <<'END'
proto 169 SUBNET nexthop via 172.16.91.77 nexthop via 172.16.91.78
proto 169 SUBNET nhid 7
proto 169 SUBNET nhid 8
proto 169 SUBNET nhid 9
proto 169 SUBNET via inet6 fe80::1 dev eth0
proto 169 SUBNET nexthop via inet6 fe80::1 dev eth0 nexthop via 172.16.91.78
proto 169 SUBNET tos 0x10 via 172.16.91.77
proto 169 table main local SUBNET dev lo
proto 169 table main broadcast SUBNET dev eth0
proto 169 throw SUBNET metric 5
END
node A plan
on A sh -e <<<"$(grep '^ip .*route del' <<<"$out")" || fail "the commands of plan do not run: $out"
same "what they leave" "$(routes_left)" ""

done_testing
