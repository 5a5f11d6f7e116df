#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# An API that lists no Node (its store was lost, or is another cluster's), or not this one: a second reading agreed, and all routes
# went. The same with a list that names no other node than this one.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"
api_lab 1 A 172.16.91.201
put A 172.16.91.201 10.10.0.0/24
for i in 2 3 4 5 6; do put "n$i" "172.16.91.20$i" "10.10.$i.0/24"; done
start_node A
routes() { ip -n A -j route show proto 169 | jq -c '[.[] | select(.gateway) | .dst]'; }
all='["10.10.2.0/24","10.10.3.0/24","10.10.4.0/24","10.10.5.0/24","10.10.6.0/24"]'
eventually 10 eval '[ "$(routes)" = "$all" ]'
problem() { jq -e --arg words "$1" '.sourceProblem | contains($words)' "$work/A/run/service.json"; }
lists() { "$python" "$fake" tell "$api" stats | jq .lists; }
# Some more readings, each from scratch.
read_again() {
  local seen
  for _ in 1 2 3; do
    seen=$(lists)
    kill -HUP "${service[A]}"
    eventually 20 eval '[ "$(lists)" -gt '"$seen"' ]'
  done
  sleep 6 # longer than until the second reading
}
withdraws_nothing() { # WORDS: of the problem
  tell compact status
  tell drop
  eventually 20 problem "$1"
  read_again
  same "routes with a list of which is said: $1" "$(routes)" "$all"
  problem "$1" || fail "the problem is not said any more"
  node A status
  same "status" "$status" 3
  case $out in *"problem of the list: "*"$1"*) ;; *) fail "status does not say it: $out" ;; esac
}
tell hide A n2 n3 n4 n5 n6
withdraws_nothing "does not name this node: nothing is withdrawn"
tell hide A n3 n4
withdraws_nothing "does not name this node: nothing is withdrawn"
tell hide n2 n3 n4 n5 n6
withdraws_nothing "names no other node with pod subnets: nothing is withdrawn without --allow-empty"

# The nodes are there, but none has a pod subnet any more: a store that was restored, or what allocates them.
tell hide
without() { for name in "$@"; do tell put "$name" '{"spec":{"podCIDR":null,"podCIDRs":null}}'; done; }
with() { for name in "$@"; do put "n$name" "172.16.91.20$name" "10.10.$name.0/24"; done; }
without n2 n3 n4 n5 n6
eventually 20 problem "names no other node with pod subnets"
read_again
same "routes while no node has a subnet" "$(routes)" "$all"
with 2 3 4 5 6
eventually 20 eval '! problem "names no other node"'
tell hide n2 n3 n4 n5 n6
tell compact status
tell drop
eventually 60 problem "names no other node"

# Also after a restart; and what the list lacks goes once it names this node, and others, again.
stop_node A
start_node A
eventually 20 problem "names no other node"
same "routes after a restart" "$(routes)" "$all"
tell hide n3
tell compact status
tell drop
eventually 60 eval '[ "$(routes)" = "$(jq -c ". - [\"10.10.3.0/24\"]" <<<"$all")" ]'
node A status; ok "status: $out"
stop_node A
done_testing
