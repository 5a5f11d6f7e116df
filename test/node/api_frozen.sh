#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# An API server that is still there for TCP, and for nobody else: stopped (A's), or mute (B's), beyond TLS. It is told within
# about a minute, routes stay, and what happened meanwhile is known when it goes on.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

wire lan
host A && plug A eth0 lan 172.16.91.201/24
host B && plug B eth0 lan 172.16.91.202/24
api_host lan
declare -A process=()
for node in A B; do
  mkdir "$work/api-$node"
  cp "$api"/{cert.pem,key.pem,token} "$work/api-$node/"
  api=$work/api-$node
  sed "s/:6443/:$((6443 + ${#process[@]}))/" "$work/api/kubeconfig" >"$api/kubeconfig"
  start_api $((6443 + ${#process[@]}))
  process[$node]=$api_process
  tell tokens token-1
  put A 172.16.91.201 10.10.0.0/24
  put B 172.16.91.202 10.10.1.0/24
  put C 172.16.91.203 10.10.2.0/24
  cluster_of[$node]=$work/$node.json
  jq -n --arg api "$api" '{ipipMode: "Never", masquerade: false, filter: false, resyncSeconds: 3600,
    source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig")}}' >"$work/$node.json"
  start_node "$node"
done
has() { [ "$(route_line "$1" "$2")" = "$2 via $3 dev eth0 proto 169" ]; }
problem() { jq -e --arg words "$2" '.sourceProblem | contains($words)' "$work/$1/run/service.json"; }
no_problem() { [ "$(jq -r .sourceProblem "$work/$1/run/service.json")" = "" ]; }
for node in A B; do
  eventually 20 has "$node" 10.10.2.0/24 172.16.91.203
  api=$work/api-$node
  # The watch is open, and nothing else under way.
  eventually 20 eval '[ "$("$python" "$fake" tell "$api" stats | jq "[.open, .patches] == [1, 1]")" = true ]'
done

# A watch without news is no problem: it is only asked for again.
api=$work/api-B
tell mute 1
kill -STOP "${process[A]}"
told() { sleep 0.5; problem A "no word from the API since 20" && problem B "no word from the API since 20"; }
eventually 90 told
problem B "not a byte in " || fail "B: $(jq .sourceProblem "$work/B/run/service.json")"
node A status
case $out in *"no word from the API since 20"*) ;; *) fail "status: $out" ;; esac
for node in A B; do
  has $node 10.10.2.0/24 172.16.91.203 || fail "a frozen API withdrew a route of $node"
  [ "$(grep -c 'no word from the API' "$work/$node/log")" -le 3 ] || fail "$node says it again and again: $(tail -5 "$work/$node/log")"
done
tell mute 0
kill -CONT "${process[A]}"
for node in A B; do
  api=$work/api-$node
  put D 172.16.91.204 10.10.3.0/24
  eventually 60 has $node 10.10.3.0/24 172.16.91.204
  eventually 60 no_problem $node
  same "lists of $node" "$("$python" "$fake" tell "$api" stats | jq .lists)" 1
done
for node in A B; do stop_node $node; done
done_testing
