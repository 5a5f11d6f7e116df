#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# "bgp.prefixes" is what a routing daemon is believed. Its own filter holds the sessions to that, but whatever else came into the
# kernel's table was carried into table main: 8.8.8.0/24 as well. Now it is refused there too, by name; also after the file changes.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
seed_hosts
list() { # PREFIXES
  seed_cluster '.source = {type: "routes", table: 169, holdSeconds: 0} | .bgp = {asNumber: 64512, prefixes: '"$1"'}'
}
list '["10.10.0.0/16"]'
start_node A
learned() { ip -n A route add "$1" via 172.16.91.202 dev lo onlink table 169 proto bird; }
for subnet in 10.10.1.0/24 10.10.0.0/15 192.168.77.0/24 8.8.8.0/24; do learned $subnet; done
eventually 10 eval '[ -n "$(route_line A 10.10.1.0/24)" ]'
carried() { ip -n A -j route show proto 169 | jq -c '[.[] | select(.type == "unicast" or .type == null) | .dst] | sort'; }
named() { node A status; [[ $out == *"$1 in kernel table 169 (via 172.16.91.202) lies in none of bgp.prefixes: not carried"* ]]; }
for subnet in 10.10.0.0/15 192.168.77.0/24 8.8.8.0/24; do eventually 10 named $subnet; done
same "what is carried" "$(carried)" '["10.10.1.0/24"]'
list '["10.10.0.0/16", "192.168.0.0/16"]'
eventually 10 eval '[ "$(carried)" = "[\"10.10.1.0/24\",\"192.168.77.0/24\"]" ]'
stop_node A
done_testing
