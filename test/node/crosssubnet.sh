#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# CrossSubnet: A and B on one wire, C behind a router. A - B goes directly, A - C and B - C through the tunnel; what is
# on-link is the kernel's word, asked again when addresses and routes change.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

wire lan; wire other
host A && plug A eth0 lan 172.16.91.201/24
host B && plug B eth0 lan 172.16.91.202/24
host C && plug C eth0 other 172.16.92.203/24
host R && plug R eth0 lan 172.16.91.1/24 && plug R eth1 other 172.16.92.1/24
on R sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
for name in A B; do ip -n "$name" route add default via 172.16.91.1; done
ip -n C route add default via 172.16.92.1
seed_pods
pod_at C netns05 10.10.2.2
seed_cluster '.ipipMode = "CrossSubnet"' '.nodes += [{"name":"C","nodeIP":"172.16.92.203","podCIDRs":["10.10.2.0/24"]}]'
for name in A B C; do start_node "$name"; done
direct="10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
tunnel="10.10.1.0/24 via 172.16.91.202 dev tunl0 proto 169 src 10.10.0.1 onlink"
eventually 20 eval '[ "$(route_line A 10.10.1.0/24)" = "$direct" ]'
far="10.10.2.0/24 via 172.16.92.203 dev tunl0 proto 169 src 10.10.0.1 onlink"
eventually 20 eval '[ "$(route_line A 10.10.2.0/24)" = "$far" ]'
eventually 20 eval '[ -n "$(route_line C 10.10.0.0/24)" ] && [ -n "$(route_line C 10.10.1.0/24)" ] && [ -n "$(route_line B 10.10.2.0/24)" ]'
talk_all() {
  checks=$((checks + 1))
  "$python" "$talk" pairs netns01=10.10.0.2 netns02=10.10.0.3 netns03=10.10.1.2 netns04=10.10.1.3 netns05=10.10.2.2 >"$work/talk" ||
    fail "the pods do not all talk"
}
count_packets R eth0 'net 10.10.0.0/16' talk_all
same "bare pod packets at the router" "$seen" 0
count_packets R eth0 'ip proto 4' reaches netns01 10.10.2.2
[ "$seen" -ge 2 ] || fail "no IPIP at the router"
count_packets B eth0 'ip proto 4 and host 172.16.91.201' reaches netns01 10.10.1.2
same "IPIP between neighbours" "$seen" 0

# A is given a narrower mask (a /32 uplink, as some clouds have it): B is no longer on-link for it. And back.
ip -n A route add 172.16.91.1 dev eth0
ip -n A route replace default via 172.16.91.1
ip -n A addr del 172.16.91.201/24 dev eth0
ip -n A addr add 172.16.91.201/32 dev eth0
ip -n A route replace 172.16.91.1 dev eth0
ip -n A route replace default via 172.16.91.1
eventually 5 eval '[ "$(route_line A 10.10.1.0/24)" = "$tunnel" ]'
ip -n A addr add 172.16.91.201/24 dev eth0
ip -n A addr del 172.16.91.201/32 dev eth0
ip -n A route replace default via 172.16.91.1
eventually 5 eval '[ "$(route_line A 10.10.1.0/24)" = "$direct" ]'
eventually 5 reaches netns01 10.10.1.2
reaches netns01 10.10.2.2

# The tunnel itself: down, stripped, with another MTU: mended at once.
ip -n A link set tunl0 down
eventually 2 eval '[ "$(route_line A 10.10.2.0/24)" = "$far" ]'
ip -n A addr del 10.10.0.1/32 dev tunl0
eventually 2 eval '[ "$(route_line A 10.10.2.0/24)" = "$far" ]'
ip -n A tunnel change tunl0 mode ipip nopmtudisc
ip -n A link set tunl0 mtu 1300
eventually 2 eval 'ip -n A -d -j link show tunl0 | jq -e ".[0] | .mtu == 1480 and .linkinfo.info_data.pmtudisc"'
reaches netns01 10.10.2.2
ip -n A addr add 10.10.77.1/32 dev tunl0 # somebody else's address stays
# The underlay's MTU is followed live, by the tunnel and by the file for new pods.
ip -n A link set eth0 mtu 1400
eventually 2 eval '[ "$(cat "$work/A/run/mtu")" = 1380 ] && [ "$(ip -n A -j link show tunl0 | jq ".[0].mtu")" = 1380 ]'
cut_off netns01 10.10.2.2 -M do -s 1353
reaches netns01 10.10.2.2 -M do -s 1352
ip -n A link set eth0 mtu 1500
eventually 2 eval '[ "$(cat "$work/A/run/mtu")" = 1480 ]'
holds "somebody else's address" '.[0].addr_info | map(.local) | index("10.10.77.1") != null' "$(ip -n A -j addr show tunl0)"

# The modes, live: all direct is impossible for C, and said; all through the tunnel; an override for one node.
with_c='.nodes += [{"name":"C","nodeIP":"172.16.92.203","podCIDRs":["10.10.2.0/24"]}]'
seed_cluster '.ipipMode = "Always"' "$with_c"
eventually 3 eval '[ "$(route_line A 10.10.1.0/24)" = "$tunnel" ]'
eventually 3 reaches netns01 10.10.1.2
seed_cluster '.ipipMode = "Always"' "$with_c" '.nodes[1].ipipMode = "Never"'
eventually 3 eval '[ "$(route_line A 10.10.1.0/24)" = "$direct" ] && [ "$(route_line A 10.10.2.0/24)" = "$far" ]'
eventually 3 reaches netns01 10.10.1.2
seed_cluster "$with_c"
eventually 3 grep -q 'C (10.10.2.0/24): 172.16.92.203 is not on-link (default via 172.16.91.1 dev eth0), and ipipMode is Never' "$work/A/log"
eventually 3 eval 'ip -n A -j addr show tunl0 | jq -e ".[0].addr_info | map(.local) == [\"10.10.77.1\"]"'
for name in A B C; do stop_node "$name"; done
done_testing
