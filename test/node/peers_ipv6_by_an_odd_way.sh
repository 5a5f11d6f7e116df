#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# IPv6 to peers went an odd way: to a link-local node address over whichever interface came first, even a pod's; nowhere while an
# expired route of ours stood in the table; to a subnet's broadcast address.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
dual_pod A p1
dual_pod B p3

# A link-local address does not say on which interface.
for key in 'nodes[0]' 'nodes[1]'; do
  seed_cluster ".$key.nodeIPv6 = \"fe80::a\""
  node A apply
  same "status with a link-local $key" "$status" 1
  case $errors in *"$key.nodeIPv6: fe80::a is link-local: it does not say on which interface"*) ;; *) fail "$errors" ;; esac
done

ip -n A addr add fd00:172::201/64 dev eth0 nodad
ip -n B addr add fd00:172::202/64 dev eth0 nodad
both='.nodes[0] += {"nodeIPv6":"fd00:172::201","podCIDRs":["10.10.0.0/24","fd00:10::/64"]} |
  .nodes[1] += {"nodeIPv6":"fd00:172::202","podCIDRs":["10.10.1.0/24","fd00:10:1::/64"]}'

# Next hops of the table: link-local ones, and routes for some packets only.
seed_cluster "$both" '.nodes = [.nodes[0]] | .source = {"type": "routes", "table": 169, "holdSeconds": 1}'
ip -n A -6 route add fd00:11::/64 via fe80::b dev eth0 table 169 proto bird
ip -n A -6 route add fd00:12::/64 via fd00:172::202 dev eth0 table 169 proto bird
ip -n A -6 route add fd00:13::/64 from fd00:77::/64 via fd00:172::203 dev eth0 table 169 proto bird
ip -n A route add 10.10.5.0/24 tos 0x10 via 172.16.91.202 dev eth0 table 169 proto bird
start_node A
eventually 3 eval '[ -n "$(ip -n A -6 route show fd00:12::/64 proto 169)" ]'
same "the others" "$(ip -n A -6 route show proto 169 | grep -E 'fd00:1[13]')$(ip -n A route show 10.10.5.0/24)" ""
node A status
case $out in *"fd00:11::/64 in kernel table 169 (via fe80::b) has a link-local next hop, which names no node: not carried"*) ;; *) fail "$out" ;; esac
stop_node A
node A clean
ip -n A -6 route flush table 169

# One that somebody gave an end.
seed_cluster "$both"
start_node A
start_node B
eventually 3 reaches p1 "${v6[p3]}"
ip -n A -6 route replace fd00:10:1::/64 via fd00:172::202 dev eth0 proto 169 expires 2
eventually 2 eval '! ip -n A -6 route show fd00:10:1::/64 | grep -q expires'
sleep 2.5
reaches p1 "${v6[p3]}"
stop_node A
stop_node B
done_testing
