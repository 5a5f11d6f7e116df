#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guests with --all
# Source "routes" with stock FRR by conf/bird/frr.conf: A and B in one network, C behind a router. The gateway in FRR's table
# is C itself, not the router, and the BGP sessions go on.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"
[ -x /usr/lib/frr/bgpd ] || { echo "no FRR here (package frr): skipped"; exit 77; }

hosts_behind_router
seed_pods
pod_at C netns05 10.10.2.2
seed_cluster "$(routes_source 60)" "$third_node" '.ipipMode = "CrossSubnet"'

# FRR gives up root's rights: its files are in a folder of its user's.
start_frr() { # HOST SED-PROGRAM
  local folder=/run/frr-$1 daemon
  install -d -o frr -g frr "$folder"
  : >"$folder/zebra.conf"
  sed "$2" "$root/conf/bird/frr.conf" >"$folder/bgpd.conf"
  chown frr:frr "$folder"/*.conf
  for half in 0.0.0.0/1 128.0.0.0/1; do ip -n "$1" route add $half dev lo tos 0x1c; done
  for daemon in zebra bgpd; do
    (exec nsenter --net="/run/netns/$1" /usr/lib/frr/$daemon -f "$folder/$daemon.conf" -i "$folder/$daemon.pid" -z "$folder/zebra.sock" \
      --vty_socket "$folder" -P 0 --log "file:$folder/log") >>"$work/$1/frr" 2>&1 &
    eventually 20 test -S "$folder/$daemon.vty"
  done
}
swap() { printf 's/172.16.91.201/SELF/g; s/%s/172.16.91.201/g; s/SELF/%s/g; s#10.10.0.0/24#%s#g' "$1" "$1" "$2"; }
for each in A B C; do start_node $each; done
start_frr A ''
start_frr B "$(swap 172.16.91.202 10.10.1.0/24)"
start_frr C "$(swap 172.16.92.203 10.10.2.0/24)"

gateway() { ip -n "$1" -j route show table 169 "$2" | jq -r '.[0] | "\(.gateway) \(.dev)"'; } # HOST PREFIX
eventually 60 eval '[ "$(gateway A 10.10.2.0/24)" = "172.16.92.203 lo" ]'
eventually 60 eval '[ "$(gateway A 10.10.1.0/24)" = "172.16.91.202 eth0" ]'
eventually 60 eval '[ "$(gateway C 10.10.0.0/24)" = "172.16.91.201 lo" ]'
eventually 60 eval '[ "$(gateway C 10.10.1.0/24)" = "172.16.91.202 lo" ]'
eventually 30 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
eventually 30 reaches netns01 10.10.1.2
same "FRR's routes in main" "$(ip -n A route show proto bgp)" ""
eventually 30 eval '[ "$(route_line A 10.10.2.0/24)" = "10.10.2.0/24 via 172.16.92.203 dev tunl0 proto 169 src 10.10.0.1 onlink" ]'
eventually 30 reaches netns01 10.10.2.2
# The sessions outlive what they have learned: they do not go where the next hops do.
before=$(ip -n A -j route show table 169 | jq length)
sleep 3
same "routes three seconds later" "$(ip -n A -j route show table 169 | jq length)" "$before"
for each in A B C; do stop_node $each; done
done_testing
