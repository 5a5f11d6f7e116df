#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Routes of the table that went without a notification, with their interface or nexthop object, were carried for ever.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
plug A eth1 lan 172.16.92.1/24
seed_cluster '.resyncSeconds = 1 | .nodes = [.nodes[0]] | .source = {"type": "routes", "table": 169, "holdSeconds": 1}'
start_node A
ip -n A route add 10.10.1.0/24 via 172.16.91.202 dev lo onlink table 169 proto bird
ip -n A route add 10.10.2.0/24 via 172.16.91.203 dev eth1 onlink table 169 proto bird
ip -n A nexthop add id 9 via 172.16.91.204 dev eth0
ip -n A route add 10.10.3.0/24 nhid 9 table 169 proto bird
has() { [ -n "$(route_line A "$1")" ]; }
for n in 1 2 3; do eventually 5 has "10.10.$n.0/24"; done
ip -n A link set eth1 down
ip -n A nexthop del id 9
same "what is left in the table" "$(ip -n A route show table 169 | wc -l)" 1
for n in 2 3; do eventually 5 eval "! has 10.10.$n.0/24"; done
has 10.10.1.0/24 || fail "the one that is there is withdrawn"
stop_node A
done_testing
