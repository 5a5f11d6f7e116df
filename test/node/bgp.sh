#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Source "routes": BIRD learns, onlink-node carries. A and B in one network (and in one of IPv6), C two routers away. BIRD and onlink-node
# are killed and come back, sessions are lost: no packet is. What is another's, or ours, is not given away.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"

seed_hosts
wire between && wire far
host R && plug R eth0 lan 172.16.91.1/24 && plug R eth1 between 172.16.90.1/24
host S && plug S eth0 far 172.16.92.1/24 && plug S eth1 between 172.16.90.2/24
host C && plug C eth0 far 172.16.92.203/24
for each in R S; do on $each sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; done
ip -n R route add 172.16.92.0/24 via 172.16.90.2
ip -n S route add 172.16.91.0/24 via 172.16.90.1
ip -n A route add default via 172.16.91.1
ip -n B route add default via 172.16.91.1
ip -n C route add default via 172.16.92.1
ip -n A addr add fd00::201/64 dev eth0 nodad
ip -n B addr add fd00::202/64 dev eth0 nodad
seed_pods
others() { ip -n A route show | grep -v 'proto 169'; ip -n A route show table 170; }
ip -n A route add 10.78.0.0/16 via 172.16.91.1 proto bird table 170
ip -n A route add 10.77.0.0/16 via 172.16.91.1 proto bird
before=$(others)

dual='.nodes[0] += {"nodeIPv6":"fd00::201"} | .nodes[1] += {"nodeIPv6":"fd00::202"} |
  .nodes[0].podCIDRs += ["fd00:10::/64"] | .nodes[1].podCIDRs += ["fd00:10:1::/64"]'
with_c=("$(routes_source 30)" "$third_node" "$dual")
seed_cluster "${with_c[@]}"
# Nothing has been learned yet: nothing is touched, though the file has a peer with its subnet.
start_node A; start_node B
for each in A B C; do configure_bird $each 's/hold time 90/hold time 3/'; start_bird $each -R; done
route=10.10.1.0/24
has_route() { [ "$(route_line A $route)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
eventually 20 has_route
eventually 20 eval '[ -n "$(route_line B 10.10.0.0/24)" ]'
all_pods_talk
eventually 20 eval '[ "$(ip -n A -6 route show fd00:10:1::/64 | sed "s/ *$//")" = "fd00:10:1::/64 via fd00::202 dev eth0 proto 169 metric 1024 pref medium" ]'
eventually 20 eval 'learned A | grep -q 10.10.2.0/24'
same "the next hop is C itself" "$(learned A)" "10.10.1.0/24 via 172.16.91.202 dev lo proto bird metric 32 onlink
10.10.2.0/24 via 172.16.92.203 dev lo proto bird metric 32 onlink"
node A status --json
holds "C is two routers away, and needs the tunnel" '.peers[] | select(.name == "C") | .podCIDR == "10.10.2.0/24" and
  (.why | test("172.16.92.203 is not on-link"))' "$out"
holds "its source is named" '.service.source == "kernel table 169"' "$out"

# BIRD is killed and comes back, on either side; onlink-node meanwhile.
bird_dies() { end_bird "$1" KILL; has_route || fail "BIRD died, and the route went"; start_bird "$1" -R; eventually 20 established "$1"; eventually 20 recovered "$1"; }
established() { ask_bird "$1" show protocols | grep -q "onlink4_172_16_91.*Established"; }
lossless netns01 10.10.1.2 bird_dies A
lossless netns01 10.10.1.2 bird_dies B
node_dies() { kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true; start_node A; eventually 10 grep -q 'C.*10.10.2.0/24' "$work/A/log"; }
: >"$work/A/log"
both_die() { end_bird A KILL; node_dies; start_bird A -R; eventually 20 established A; eventually 20 recovered A; }
lossless netns01 10.10.1.2 both_die
# Both again, and somebody empties the table meanwhile: onlink-node begins with nothing, and touches nothing.
all_is_gone() {
  end_bird A KILL
  kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true
  ip -n A route flush table 169; ip -n A -6 route flush table 169
  : >"$work/A/log"
  start_node A
  eventually 10 grep -q 'kernel table 169 holds no usable route: nothing is withdrawn' "$work/A/log"
  start_bird A -R
  eventually 20 established A
  eventually 20 recovered A
}
lossless netns01 10.10.1.2 all_is_gone
# Without -R, as a service that knows of nothing: BIRD empties its table first, and fills it again.
bird_forgets() { end_bird A KILL; start_bird A; eventually 20 established A; eventually 5 eval 'learned A | grep -q 10.10.1.0/24'; }
lossless netns01 10.10.1.2 bird_forgets
# The session is lost for a while: BGP between A and B does not get through.
session_lost() {
  on B nft 'add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in tcp dport 179 drop; add rule inet cut in tcp sport 179 drop'
  eventually 30 eval '! ask_bird A show protocols onlink4_172_16_91_202 | grep -q Established'
  on B nft delete table inet cut
  eventually 20 eval 'ask_bird A show protocols onlink4_172_16_91_202 | grep -q Established'
}
lossless netns01 10.10.1.2 session_lost

# From here on what is gone goes soon, but sessions last. A list is complete once its table was followed for so long.
all_established() { for each in A B C; do [ "$(ask_bird $each show protocols | grep -c 'onlink4.*Established')" = 2 ]; done; }
for each in A B C; do configure_bird $each; ask_bird $each configure >/dev/null; done
eventually 30 all_established
eventually 20 eval '[ "$(learned A | wc -l)" = 2 ]'
with_c=("$(routes_source 2)" "$third_node" "$dual")
seed_cluster "${with_c[@]}"
eventually 10 eval 'node A status --json; [ "$(jq .service.complete <<<"$out")" = true ]'

# What C says about others' subnets: BIRD refuses it by what the file says. With a file that lets it through, onlink-node does.
bad='s#^  route 10.10.2.0/24 blackhole;#&\n  route 10.10.0.128/25 blackhole;\n  route 10.10.1.64/26 blackhole;\n  route 10.11.0.0/24 blackhole;#'
configure_bird C "$bad"; ask_bird C configure >/dev/null
ranges='.bgp.prefixes = ["10.10.0.0/16","10.11.0.0/16"]'
seed_cluster "${with_c[@]}" "$ranges"
configure_bird A "s/ && net !~ onlink_ours4//"; ask_bird A configure >/dev/null
eventually 20 eval 'learned A | grep -q 10.10.0.128/25 && learned A | grep -q 10.11.0.0/24'
eventually 10 grep -q '10.10.0.128/25 in kernel table 169 (via 172.16.92.203) overlaps 10.10.0.0/24, which is this node' "$work/A/log"
eventually 10 grep -q '10.10.1.64/26 in kernel table 169 (via 172.16.92.203) overlaps 10.10.1.0/24 of B' "$work/A/log"
has_route || fail "B's subnet is not B's any more"
[ -z "$(ip -n A route show 10.10.0.128/25)$(ip -n A route show 10.10.1.64/26)" ] || fail "a stolen subnet is carried"
reaches netns01 10.10.0.3
configure_bird C; ask_bird C configure >/dev/null
configure_bird A; ask_bird A configure >/dev/null
eventually 10 eval 'node A status --json; [ "$(jq "[.problems[] | select(.text | test(\"overlaps\"))] | length" <<<"$out")" = 0 ]'

# B goes. A subnet that is announced no more goes after the hold time, and only then.
end_bird B TERM
eventually 10 grep -q 'no longer in kernel table 169, kept for 2 s: 10.10.1.0/24 (B)' "$work/A/log"
eventually 10 eval '[ -z "$(route_line A $route)" ]'
# What went while nobody was looking goes as late.
stop_node A
ip -n A route add 10.10.6.0/24 via 172.16.91.206 proto 169
start_node A
eventually 10 eval '[ -z "$(route_line A 10.10.6.0/24)" ]'
start_bird B -R
eventually 20 has_route

# Table emptied by hand, or by a daemon that is taken away: nothing is withdrawn, and it is said.
end_bird A KILL
ip -n A route flush table 169; ip -n A -6 route flush table 169
eventually 10 grep -q 'kernel table 169 holds no usable route: nothing is withdrawn' "$work/A/log"
sleep 3 # longer than the hold time
has_route || fail "an empty table withdrew everything"
reaches netns01 10.10.1.2
start_bird A
eventually 20 eval 'learned A | grep -q $route'
eventually 10 has_route
same "other tables and foreign routes" "$(others)" "$before"
stop_node A
has_route || fail "the end of onlink-node withdrew the route"
# One look, without a service: what is in the table is carried, C by the rule for other networks; nothing is withdrawn.
seed_cluster "${with_c[@]}" '.ipipMode = "CrossSubnet"'
ip -n A route add 10.10.6.0/24 via 172.16.91.206 proto 169
eventually 20 eval 'learned A | grep -q 10.10.2.0/24'
node A plan
same "what is wrong is the list only" "$status" 3
case $out in *"10.10.2.0/24 via 172.16.92.203 dev tunl0 proto 169 src 10.10.0.1 onlink"*) ;; *) fail "plan: $out" ;; esac
case $out in *"route del"*) fail "one look at a table withdraws: $out" ;; esac
echo "bgp.sh: $pinged pings, none lost"
done_testing
